-- The counts of `home`: of the fleet, of sources and of destinations; then of days, of which only what
-- home_days.sql counts is told; then failed attempts by class of exception. Grain: one row a window and part.
-- Reads: the stages scope, home_routes, counts and home_days.
--
-- connector: of a class its name. n: of a day, how many days it lies after the first that is read.
SELECT
    CASE counts.number % 3 WHEN 0 THEN 'fleet' WHEN 1 THEN 'source' ELSE 'destination' END AS part,
    names.connector,
    NULL AS n,
    counts.*
FROM counts
LEFT JOIN (
    SELECT DISTINCT 3 * source + 1 AS number, source_name AS connector FROM home_routes
        WHERE source IS NOT NULL
    UNION ALL
    SELECT DISTINCT 3 * destination + 2, destination_name FROM home_routes WHERE destination IS NOT NULL
) AS names ON names.number = counts.number
UNION ALL
SELECT
    'day', NULL, n,
    NULL, NULL, attempts, succeeded, failed, 0, canceled, in_flight, abandoned, 0,
    0, 0, 0, units, 0, 0, affected_units, 0, 0, false
FROM home_days
UNION ALL
SELECT
    'class', failures.failure_class, NULL,
    is_current, NULL, 0, 0, CAST(sum(failed) AS bigint), 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, false
FROM scope
JOIN failures ON failures.id = scope.failure
WHERE scope.failure <> 0
GROUP BY failures.failure_class, is_current
