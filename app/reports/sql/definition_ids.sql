-- The ids of connectors in the registry, as far as `connectors refresh` has learned them.
-- Grain: one row a connector. Index: none, a thousand rows.
SELECT name AS connector, CAST(definition_id AS text) AS definition_id
FROM connectors
WHERE definition_id IS NOT NULL
