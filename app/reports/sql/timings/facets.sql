-- The classes of durations of one connector, by those facets that its routes tell: total, before, version,
-- with.
-- Grain: one row a facet's number (facet_names.sql), route and class. Reads: the stages duration_classes, by
-- route, and route_facets.
SELECT facets.number, quarters, timed, weight
FROM duration_classes
JOIN route_facets ON route_facets.id = duration_classes.number
CROSS JOIN LATERAL (
    VALUES
        (CASE WHEN is_current THEN 0 ELSE 1 END),
        (CASE WHEN is_current THEN 16 * version_number + 3 END),
        (CASE WHEN is_current THEN 16 * target_number + 4 END)
) AS facets (number)
WHERE facets.number IS NOT NULL
