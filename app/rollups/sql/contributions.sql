-- What each marked session contributes: what `attempts` will hold of it.
-- Grain: that of `attempts`. Reads: the stage attempts. Parameter: since (days before are left alone).
--
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
    CAST(coalesce(sum(number_of_records), 0) AS bigint) AS records,
    CAST(count(*) FILTER (WHERE outcome = 'succeeded') AS integer) AS succeeded,
    CAST(count(*) FILTER (WHERE outcome = 'failed') AS integer) AS failed,
    CAST(count(*) FILTER (WHERE outcome = 'canceled') AS integer) AS canceled,
    CAST(count(*) FILTER (WHERE outcome = 'started') AS integer) AS open,
    CAST(count(*) FILTER (WHERE orphan) AS integer) AS orphans,
    CAST(count(*) FILTER (WHERE refused) AS integer) AS from_ledger,
    CAST(count(*) FILTER (WHERE first_run) AS integer) AS first_runs,
    CAST(count(*) FILTER (WHERE corrected) AS integer) AS corrected
FROM (SELECT attempts.*, CAST(happened_at AT TIME ZONE 'UTC' AS date) AS day FROM attempts) AS dated
WHERE day >= CAST(:since AS date)
GROUP BY bucket, session_key, day, unit, route, environment, failure, application_hash
