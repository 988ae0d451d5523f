-- The cache of each route that has one.
-- Grain: one row a route. Reads: the stage routes_asked.
SELECT id, cache_type, CAST(dense_rank() OVER (ORDER BY cache_type) AS integer) AS number
FROM routes_asked
WHERE cache_type <> ''
