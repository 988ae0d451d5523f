-- What the filters leave, day by day. A day's number is how many days it lies after the first day that is read.
-- Grain: that of scope. Reads: the stage scope. Parameter: prior_from (date).
SELECT
    is_current, day - CAST(:prior_from AS date) AS number,
    day, bucket, unit, route, environment, failure, application_hash, records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
