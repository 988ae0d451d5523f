-- PyAirbyte's versions.
-- Grain: one row an environment. Reads: the stage environments_asked.
SELECT 'environment' AS kind, id, version FROM environments_asked
