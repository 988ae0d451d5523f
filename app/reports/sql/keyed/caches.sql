-- What the filters leave, by type of cache.
-- Grain: that of scope. Reads: the stages scope and cache_numbers.
SELECT
    is_current, cache_numbers.number, day, bucket, unit, route, environment, failure, application_hash,
        records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
JOIN cache_numbers ON cache_numbers.id = scope.route
