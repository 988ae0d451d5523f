-- The report `platforms`, before it is ranked.
-- Grain: one row a dimension and value. Reads: the stages platform_numbers and counts.
SELECT names.dimension, names.value, counts.*
FROM counts
JOIN (SELECT DISTINCT number, dimension, value FROM platform_numbers) AS names ON names.number = counts.number
