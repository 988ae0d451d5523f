-- The source and the destination of each route, numbered by a route of theirs; NULL where there is none.
-- Grain: one row a route. Reads: the stage routes_asked (of role any).
SELECT
    id, source_name, destination_name,
    CASE WHEN source_name <> '' THEN CAST(min(id) OVER (PARTITION BY source_name) AS integer) END AS source,
    CASE WHEN destination_name <> '' THEN CAST(min(id) OVER (PARTITION BY destination_name) AS integer) END AS
        destination
FROM routes_asked
