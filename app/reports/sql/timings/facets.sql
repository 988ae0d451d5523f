-- How long the succeeded syncs of one connector took, by those facets that its routes tell: total, before,
-- version, with.
-- Grain: one row a facet's number (facet_names.sql), route and class, and one a facet's number and route of
-- how many were timed. Reads: the stages facet_uses and route_facets.
SELECT facets.number, quarters, timed, weight
FROM (
    SELECT
        is_current, route, took >> 3 AS quarters, CAST(0 AS bigint) AS timed, sum(took & 7) AS weight
    FROM (SELECT is_current, route, unnest(took) AS took FROM facet_uses WHERE took IS NOT NULL) AS each
    GROUP BY is_current, route, took >> 3
    UNION ALL
    SELECT is_current, route, NULL, sum(timed), 0
    FROM facet_uses
    WHERE took IS NOT NULL
    GROUP BY is_current, route
) AS classes
JOIN route_facets ON route_facets.id = classes.route
CROSS JOIN LATERAL (
    VALUES
        (CASE WHEN is_current THEN 0 ELSE 1 END),
        (CASE WHEN is_current THEN 16 * version_number + 3 END),
        (CASE WHEN is_current THEN 16 * target_number + 4 END)
) AS facets (number)
WHERE facets.number IS NOT NULL
