-- What each marked session contributes, in words: what `attempts` will hold of it, before the words are numbered.
-- Grain: one row a session, day and combination of words.
-- Reads: the stage attempts.
--
-- day: the UTC day of the attempt's start. The empty word is none or withheld; the nil UUID is nobody, and no application.
-- prerelease: anything but N.N.N and N.N.N.postN, and 0.0.0; a version that was withheld is taken for a release.
-- install, validate and check name a destination connector in `source`: here it stands as the destination that it is.
SELECT
    bucket,
    session_key,
    CAST(happened_at AT TIME ZONE 'UTC' AS date) AS day,
    coalesce(unit, CAST(:nobody AS uuid)) AS unit,
    coalesce(application_hash, CAST(:nobody AS uuid)) AS application_hash,
    event,
    CASE WHEN misplaced THEN 'write' ELSE lane END AS lane,
    CASE WHEN misplaced THEN '' ELSE coalesce(source_name, '') END AS source_name,
    CASE WHEN misplaced THEN '' ELSE coalesce(source_version, '') END AS source_version,
    CASE WHEN misplaced THEN source_name ELSE coalesce(destination_name, '') END AS destination_name,
    CASE
        WHEN misplaced THEN coalesce(source_version, '')
        WHEN destination_name IS NOT NULL THEN coalesce(destination_version, '')
        ELSE ''
    END AS destination_version,
    coalesce(cache_type, '') AS cache_type,
    ci,
    version IS NOT NULL AND (version = '0.0.0' OR version !~ '^[0-9]+\.[0-9]+\.[0-9]+(\.post[0-9]+)?$') AS prerelease,
    coalesce(version, '') AS version,
    coalesce(python_version, '') AS python_version,
    coalesce(os, '') AS os,
    coalesce(notebook_runtime, '') AS notebook_runtime,
    CASE WHEN misplaced THEN '' ELSE coalesce(source_executor_type, '') END AS source_executor_type,
    CASE WHEN misplaced THEN coalesce(source_executor_type, '') ELSE coalesce(destination_executor_type, '') END
        AS destination_executor_type,
    exception_class,
    max(settles_at) AS settles_at,
    CAST(coalesce(sum(number_of_records), 0) AS bigint) AS records,
    CAST(count(*) FILTER (WHERE outcome = 'succeeded') AS integer) AS succeeded,
    CAST(count(*) FILTER (WHERE outcome = 'failed') AS integer) AS failed,
    CAST(count(*) FILTER (WHERE outcome = 'canceled') AS integer) AS canceled,
    CAST(count(*) FILTER (WHERE outcome = 'open') AS integer) AS open,
    CAST(count(*) FILTER (WHERE orphan) AS integer) AS orphans,
    CAST(count(*) FILTER (WHERE refused) AS integer) AS from_ledger,
    CAST(count(*) FILTER (WHERE first_run) AS integer) AS first_runs,
    CAST(count(*) FILTER (WHERE corrected) AS integer) AS corrected
FROM (
    SELECT
        attempts.*,
        event <> 'sync' AND destination_name IS NULL AND coalesce(starts_with(source_name, 'destination-'), false)
            AS misplaced
    FROM attempts
) AS told
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21
