-- What the filters leave, once for each part of `home`, under numbers of its own: 4n, n = 0, is the fleet, 4n
-- + 1 a source, 4n + 2 a destination, 4n + 3 the day n days after the first that is read. Grain: one row a
-- row of scope and part. Reads: the stages scope and home_routes. Parameter: prior_from (date).
SELECT
    is_current, parts.number, day, bucket, unit, route, environment, failure, application_hash, records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
JOIN home_routes ON home_routes.id = scope.route
CROSS JOIN LATERAL (
    VALUES
        (0),
        (4 * home_routes.source + 1),
        (4 * home_routes.destination + 2),
        (4 * (day - CAST(:prior_from AS date)) + 3)
) AS parts (number)
WHERE parts.number IS NOT NULL
