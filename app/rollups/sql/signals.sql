-- Events and ledger rows of the marked sessions as what they signal, in words: who did what, where, between
-- what. Grain: one row an event or ledger row. Reads: the stages accepted and refused. Parameter: nobody
-- (zero).
--
-- The empty word is none or withheld; zero is nobody, and no application. A row without a session (sent by
-- the oldest releases, or refused for it) stands under its message key: it meets no partner, which might be a
-- stranger's. setup: the hash of configurations and application, by which first runs (ids minted with their
-- session) are linked. install, validate and check name a destination connector in `source`: here it stands
-- as the destination that it is.
SELECT
    bucket,
    coalesce(session_key, message_key) AS session_key,
    message_key,
    coalesce(unit, CAST(:nobody AS bigint)) AS unit,
    coalesce(application_hash, CAST(:nobody AS bigint)) AS application_hash,
    happened_at,
    occurred_at,
    received_at,
    CASE WHEN first_run THEN setup END AS setup,
    number_of_records,
    event,
    state,
    corrected,
    first_run,
    crowded,
    write_key,
    refused,
    ci,
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
    coalesce(version, '') AS version,
    coalesce(python_version, '') AS python_version,
    coalesce(os, '') AS os,
    coalesce(notebook_runtime, '') AS notebook_runtime,
    CASE WHEN misplaced THEN '' ELSE coalesce(source_executor_type, '') END AS source_executor_type,
    CASE WHEN misplaced THEN coalesce(source_executor_type, '') ELSE coalesce(destination_executor_type,
        '') END
        AS destination_executor_type,
    CASE WHEN state = 'failed' THEN coalesce(exception_class, '') END AS exception_class
FROM (
    SELECT
        both_tables.*,
        event <> 'sync' AND destination_name IS NULL AND coalesce(starts_with(source_name, 'destination-'),
            false)
            AS misplaced
    FROM (SELECT * FROM accepted UNION ALL SELECT * FROM refused) AS both_tables
) AS reported
