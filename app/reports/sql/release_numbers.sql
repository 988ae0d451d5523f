-- The versions that are asked for: the connector's, or without one PyAirbyte's.
-- Grain: one row a version. Reads: the stages routes_asked and environments_asked. Parameter: connector (NULL for none).
SELECT version, CAST(row_number() OVER (ORDER BY version) AS integer) AS number
FROM (
    SELECT version FROM environments_asked WHERE CAST(:connector AS text) IS NULL
    UNION
    SELECT CASE WHEN source_name = CAST(:connector AS text) THEN source_version ELSE destination_version END
    FROM routes_asked
    WHERE CAST(:connector AS text) IS NOT NULL
) AS versions
