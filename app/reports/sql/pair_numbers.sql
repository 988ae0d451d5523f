-- The pair of each route.
-- Grain: one row a route. Reads: the stage routes_asked.
--
-- An attempt in lane `write` has a destination, whatever cache stands beside it; one in `cache` a cache.
SELECT
    routes.*,
    CAST(dense_rank() OVER (ORDER BY source_name, target, lane) AS integer) AS number
FROM (
    SELECT id, lane, source_name, CASE lane WHEN 'write' THEN destination_name ELSE cache_type END AS target
    FROM routes_asked
) AS routes
