-- The versions of PyAirbyte and of the connector that ranks.
-- Grain: one row a route or environment. Reads: the stages routes_asked and environments_asked.
SELECT 'environment' AS kind, id, version FROM environments_asked
UNION ALL
SELECT 'route', id, connector_version FROM routes_asked
