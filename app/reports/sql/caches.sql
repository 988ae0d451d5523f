-- The report `caches`, before it is ranked.
-- Grain: one row a type of cache. Reads: the stages cache_numbers and counts.
SELECT names.cache_type AS cache, counts.*
FROM counts
JOIN (SELECT DISTINCT number, cache_type FROM cache_numbers) AS names ON names.number = counts.number
