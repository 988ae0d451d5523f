-- The version of each route's connector.
-- Grain: one row a route. Reads: the stage routes_asked.
SELECT
    id, connector, connector_version,
    CAST(dense_rank() OVER (ORDER BY connector, connector_version) AS integer) AS number
FROM routes_asked
