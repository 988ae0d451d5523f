-- The versions that are asked for: the connector's, or without one PyAirbyte's.
-- Grain: one row a route or environment. Reads: the stages routes_asked and environments_asked.
-- Parameter: connector (NULL for PyAirbyte's versions).
SELECT 'environment' AS kind, id, version FROM environments_asked WHERE CAST(:connector AS text) IS NULL
UNION ALL
SELECT 'route', id, CASE WHEN source_name = CAST(:connector AS text) THEN source_version
    ELSE destination_version END
FROM routes_asked
WHERE CAST(:connector AS text) IS NOT NULL
