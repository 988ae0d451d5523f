-- What each marked session contributes: what `attempts` will hold of it.
-- Grain: that of `attempts`. Reads: the stage attempts. Parameter: since (days before are left alone).
--
-- Counts and records saturate: no sum of what a stranger sends may overflow, here or in a report (2^28 - 1 a count, so that
-- four of them fit an integer; 10^12 records, the most that one sync may have).
-- day: the UTC day of the attempt's start.
SELECT
    max(settles_at) AS settles_at,
    day,
    route,
    environment,
    bucket,
    coalesce(failure, 0) AS failure,
    session_key,
    unit,
    application_hash,
    CAST(least(coalesce(sum(number_of_records), 0), 1000000000000) AS bigint) AS records,
    CAST(least(count(*) FILTER (WHERE outcome = 'succeeded'), 268435455) AS integer) AS succeeded,
    CAST(least(count(*) FILTER (WHERE outcome = 'failed'), 268435455) AS integer) AS failed,
    CAST(least(count(*) FILTER (WHERE outcome = 'canceled'), 268435455) AS integer) AS canceled,
    CAST(least(count(*) FILTER (WHERE outcome = 'started'), 268435455) AS integer) AS open,
    CAST(least(count(*) FILTER (WHERE orphan), 268435455) AS integer) AS orphans,
    CAST(least(count(*) FILTER (WHERE refused), 268435455) AS integer) AS from_ledger,
    CAST(least(count(*) FILTER (WHERE first_run), 268435455) AS integer) AS first_runs,
    CAST(least(count(*) FILTER (WHERE corrected), 268435455) AS integer) AS corrected
FROM (SELECT attempts.*, CAST(happened_at AT TIME ZONE 'UTC' AS date) AS day FROM attempts) AS dated
WHERE day >= CAST(:since AS date)
GROUP BY bucket, session_key, day, unit, route, environment, failure, application_hash
