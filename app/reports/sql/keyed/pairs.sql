-- What the filters leave, by what was read and where it went: a destination, else a cache.
-- Grain: that of scope. Reads: the stages scope and pair_numbers.
SELECT
    is_current, pair_numbers.number, day, bucket, unit, route, environment, failure, application_hash,
    records, succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected, timed,
    durations
FROM scope
JOIN pair_numbers ON pair_numbers.id = scope.route
