-- Adds (new - old) to `unit_days`, in key order.
-- What a user's day holds saturates, as in contributions.sql; 10^15 records. timed is NULL where all that
-- succeeded are timed.
-- Grain: that of `unit_days`. Index: its primary key.
-- Reads: the tables `contributions` and `retracted` of this connection.
INSERT INTO unit_days (
    day, bucket, day_key, unit, application_hash, route, environment, failure, records,
    succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected, timed, durations
)
SELECT
    day, bucket, day_key, unit, application_hash, route, environment, failure,
    nullif(least(records, 1000000000000000), 0),
    nullif(least(succeeded, 268435455), 0),
    nullif(least(failed, 268435455), 0),
    nullif(least(canceled, 268435455), 0),
    nullif(least(open, 268435455), 0),
    nullif(least(orphans, 268435455), 0),
    nullif(least(from_ledger, 268435455), 0),
    nullif(least(first_runs, 268435455), 0),
    nullif(least(corrected, 268435455), 0),
    nullif(least(timed, 268435455), least(succeeded, 268435455)),
    nullif(least(durations, 268435455), 0)
FROM (
    SELECT
        day, bucket, day_key,
        min(unit) AS unit,
        min(application_hash) AS application_hash,
        min(route) AS route,
        min(environment) AS environment,
        min(failure) AS failure,
        sum(records) AS records,
        coalesce(sum(times) FILTER (WHERE kind & 3 = 1), 0) AS succeeded,
        coalesce(sum(times) FILTER (WHERE kind & 3 = 2), 0) AS failed,
        coalesce(sum(times) FILTER (WHERE kind & 3 = 3), 0) AS canceled,
        coalesce(sum(times) FILTER (WHERE kind & 3 = 0), 0) AS open,
        coalesce(sum(times) FILTER (WHERE kind & 4 > 0), 0) AS orphans,
        coalesce(sum(times) FILTER (WHERE kind & 8 > 0), 0) AS from_ledger,
        coalesce(sum(times) FILTER (WHERE kind & 16 > 0), 0) AS first_runs,
        coalesce(sum(times) FILTER (WHERE kind & 32 > 0), 0) AS corrected,
        coalesce(sum(times) FILTER (WHERE kind >= 64), 0) AS timed,
        coalesce(sum(CAST(times AS bigint) * (kind >> 6)), 0) AS durations
    FROM (
        SELECT day, bucket, day_key, unit, application_hash, route, environment, failure, kind, times, records
        FROM contributions
        UNION ALL
        SELECT day, bucket, day_key, unit, application_hash, route, environment, failure, kind, times, records
        FROM retracted
    ) AS changes
    GROUP BY day, bucket, day_key
) AS differences
WHERE (records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected, timed,
    durations)
   <> (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
ORDER BY day, bucket, day_key
ON CONFLICT (day, bucket, day_key) DO UPDATE SET
    records = nullif(least(coalesce(unit_days.records, 0) + coalesce(excluded.records, 0), 1000000000000000),
        0),
    succeeded = nullif(least(coalesce(unit_days.succeeded, 0) + coalesce(excluded.succeeded, 0), 268435455),
        0),
    failed = nullif(least(coalesce(unit_days.failed, 0) + coalesce(excluded.failed, 0), 268435455), 0),
    canceled = nullif(least(coalesce(unit_days.canceled, 0) + coalesce(excluded.canceled, 0), 268435455), 0),
    open = nullif(least(coalesce(unit_days.open, 0) + coalesce(excluded.open, 0), 268435455), 0),
    orphans = nullif(least(coalesce(unit_days.orphans, 0) + coalesce(excluded.orphans, 0), 268435455), 0),
    from_ledger = nullif(least(coalesce(unit_days.from_ledger, 0) + coalesce(excluded.from_ledger, 0),
        268435455), 0),
    first_runs = nullif(least(coalesce(unit_days.first_runs, 0) + coalesce(excluded.first_runs, 0),
        268435455), 0),
    corrected = nullif(least(coalesce(unit_days.corrected, 0) + coalesce(excluded.corrected, 0), 268435455),
        0),
    timed = nullif(
        least(coalesce(unit_days.timed, unit_days.succeeded, 0)
            + coalesce(excluded.timed, excluded.succeeded, 0), 268435455),
        least(coalesce(unit_days.succeeded, 0) + coalesce(excluded.succeeded, 0), 268435455)
    ),
    durations = nullif(least(coalesce(unit_days.durations, 0) + coalesce(excluded.durations, 0), 268435455),
        0)
