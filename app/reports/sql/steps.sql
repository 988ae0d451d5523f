-- The step that each route belongs to: 1 install, 2 validate, 3 check, 4 sync.
-- Grain: one row a route. Parameters: role, lanes (of syncs), connector (NULL for all).
SELECT id, CASE event WHEN 'install' THEN 1 WHEN 'validate' THEN 2 WHEN 'check' THEN 3 ELSE 4 END AS step
FROM routes
WHERE (event <> 'sync' OR lane = ANY(CAST(:lanes AS text[])))
  AND CASE CAST(:role AS text) WHEN 'destination' THEN destination_name ELSE source_name END <> ''
  AND (CAST(:connector AS text) IS NULL OR CAST(:connector AS text) IN (source_name, destination_name))
