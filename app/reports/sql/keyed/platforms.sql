-- What the filters leave, by every dimension of its environment.
-- Grain: one row a row of scope and dimension. Reads: the stages scope and platform_numbers.
SELECT
    is_current, platform_numbers.number, day, bucket, unit, route, environment, failure, application_hash,
        records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
JOIN platform_numbers ON platform_numbers.id = scope.environment
