-- How long the window's succeeded syncs took, by key.
-- Grain: one row a key and class, and one a key of how many were timed. Reads: the stage applications
-- (timed.sql).
SELECT number, each.took >> 3 AS quarters, CAST(0 AS bigint) AS timed, sum(each.took & 7) AS weight
FROM applications
CROSS JOIN LATERAL unnest(applications.took) AS each (took)
GROUP BY number, each.took >> 3
UNION ALL
SELECT number, NULL, sum(timed), 0
FROM applications
WHERE took IS NOT NULL
GROUP BY number
