-- What the filters leave, all together.
-- Grain: that of scope. Reads: the stage scope.
SELECT
    is_current, 0 AS number, day, bucket, unit, route, environment, failure, application_hash, records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
