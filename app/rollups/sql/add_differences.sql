-- Adds (new - old) to `unit_days`, in key order.
-- What a user's day holds saturates, as in contributions.sql; 10^15 records.
-- Grain: that of `unit_days`. Index: its primary key.
-- Reads: the tables `contributions` and `retracted` of this connection.
INSERT INTO unit_days (
    day, route, environment, bucket, failure, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
)
SELECT
    day, route, environment, bucket, failure, unit, application_hash,
    least(sum(records), 1000000000000000),
    least(sum(succeeded), 268435455),
    least(sum(failed), 268435455),
    least(sum(canceled), 268435455),
    least(sum(open), 268435455),
    least(sum(orphans), 268435455),
    least(sum(from_ledger), 268435455),
    least(sum(first_runs), 268435455),
    least(sum(corrected), 268435455)
FROM (
    SELECT
        day, route, environment, bucket, failure, unit, application_hash,
        records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
    FROM contributions
    UNION ALL
    SELECT
        day, route, environment, bucket, failure, unit, application_hash,
        records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
    FROM retracted
) AS changes
GROUP BY day, bucket, unit, route, environment, failure, application_hash
HAVING (sum(records), sum(succeeded), sum(failed), sum(canceled), sum(open), sum(orphans), sum(from_ledger),
        sum(first_runs), sum(corrected)) <> (0, 0, 0, 0, 0, 0, 0, 0, 0)
ORDER BY day, bucket, unit, route, environment, failure, application_hash
ON CONFLICT (day, bucket, unit, route, environment, failure, application_hash) DO UPDATE SET
    records = least(unit_days.records + excluded.records, 1000000000000000),
    succeeded = least(unit_days.succeeded + excluded.succeeded, 268435455),
    failed = least(unit_days.failed + excluded.failed, 268435455),
    canceled = least(unit_days.canceled + excluded.canceled, 268435455),
    open = least(unit_days.open + excluded.open, 268435455),
    orphans = least(unit_days.orphans + excluded.orphans, 268435455),
    from_ledger = least(unit_days.from_ledger + excluded.from_ledger, 268435455),
    first_runs = least(unit_days.first_runs + excluded.first_runs, 268435455),
    corrected = least(unit_days.corrected + excluded.corrected, 268435455)
