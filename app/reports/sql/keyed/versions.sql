-- What the filters leave, by the version of the connector that ranks.
-- Grain: that of scope. Reads: the stages scope and version_numbers.
SELECT
    is_current, version_numbers.number, day, bucket, unit, route, environment, failure, application_hash,
        records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
JOIN version_numbers ON version_numbers.id = scope.route
