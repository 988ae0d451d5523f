-- The report `trend`, before it is rated.
-- Grain: one row a connector and week. Reads: the stages routes_asked and counts.
SELECT names.connector, counts.number % 64 AS weeks_ago, counts.*
FROM counts
JOIN (SELECT DISTINCT number, connector FROM routes_asked) AS names ON names.number = counts.number / 64
