-- Adds (new - old) to `unit_days`, in key order.
-- Grain: that of `unit_days`. Index: its primary key.
-- Reads: the tables `contributions` and `retracted` of this connection.
INSERT INTO unit_days (
    day, route, environment, bucket, failure, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
)
SELECT
    day, route, environment, bucket, failure, unit, application_hash,
    sum(records), sum(succeeded), sum(failed), sum(canceled), sum(open), sum(orphans), sum(from_ledger),
    sum(first_runs), sum(corrected)
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
    records = unit_days.records + excluded.records,
    succeeded = unit_days.succeeded + excluded.succeeded,
    failed = unit_days.failed + excluded.failed,
    canceled = unit_days.canceled + excluded.canceled,
    open = unit_days.open + excluded.open,
    orphans = unit_days.orphans + excluded.orphans,
    from_ledger = unit_days.from_ledger + excluded.from_ledger,
    first_runs = unit_days.first_runs + excluded.first_runs,
    corrected = unit_days.corrected + excluded.corrected
