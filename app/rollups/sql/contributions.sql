-- What each marked session contributes: what `attempts` will hold of it, and what row of `unit_days` it is
-- added to. Grain: that of `attempts`. Reads: the stage attempts. Parameter: since (days before are left
-- alone), edges (where each class of durations begins, in ms).
--
-- Counts and records saturate: no sum of what a stranger sends may overflow, here or in a report (2^28 - 1 a
-- count, so that four of them fit an integer; 10^12 records, the most that one sync may have). day: the UTC
-- day of the attempt's start. kind: as in app/store/tables/rollups.py; how long a success took, as the class
-- of its duration: what took no time, less, or over a week has none (app/store/durations.py). day_key: is
-- made here only and stored from then on, so that nothing depends on another server hashing as this one does.
SELECT
    session_key,
    unit,
    application_hash,
    hash_record_extended(ROW(unit, application_hash, route, environment, failure), 0) AS day_key,
    max(settles_at) AS settles_at,
    CAST(least(coalesce(sum(number_of_records), 0), 1000000000000) AS bigint) AS records,
    day,
    route,
    environment,
    CAST(least(count(*), 268435455) AS integer) AS times,
    bucket,
    failure,
    CAST(kind AS smallint) AS kind
FROM (
    SELECT
        session_key, unit, application_hash, settles_at, number_of_records, route, environment, bucket,
        CAST(happened_at AT TIME ZONE 'UTC' AS date) AS day,
        coalesce(failure, CAST(0 AS smallint)) AS failure,
        CASE outcome WHEN 'started' THEN 0 WHEN 'succeeded' THEN 1 WHEN 'failed' THEN 2 WHEN 'canceled'
            THEN 3 END
            + CASE WHEN orphan THEN 4 ELSE 0 END
            + CASE WHEN refused THEN 8 ELSE 0 END
            + CASE WHEN first_run THEN 16 ELSE 0 END
            + CASE WHEN corrected THEN 32 ELSE 0 END
            + CASE WHEN lasted BETWEEN 1 AND 604800000
                THEN 64 * width_bucket(lasted, CAST(:edges AS bigint[])) ELSE 0 END AS kind
    FROM attempts
) AS dated
WHERE day >= CAST(:since AS date)
GROUP BY bucket, session_key, day, unit, route, environment, failure, application_hash, kind
