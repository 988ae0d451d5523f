-- The counts of `home`: of the fleet, of sources, of destinations and of days.
-- Grain: one row a window and part. Reads: the stages home_routes and counts.
--
-- n: of a day, how many days it lies after the first that is read.
SELECT
    CASE counts.number % 4 WHEN 0 THEN 'fleet' WHEN 1 THEN 'source' WHEN 2 THEN 'destination'
        ELSE 'day' END AS part,
    names.connector,
    counts.number / 4 AS n,
    counts.*
FROM counts
LEFT JOIN (
    SELECT DISTINCT 4 * source + 1 AS number, source_name AS connector FROM home_routes
        WHERE source IS NOT NULL
    UNION ALL
    SELECT DISTINCT 4 * destination + 2, destination_name FROM home_routes WHERE destination IS NOT NULL
) AS names ON names.number = counts.number
