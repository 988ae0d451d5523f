-- The report `versions`, before it is rated.
-- Grain: one row a version, rarely used ones together. Reads: the stages release_numbers and counts.
SELECT names.version, counts.*
FROM counts
JOIN (SELECT DISTINCT number, name AS version FROM release_numbers) AS names ON names.number = counts.number
