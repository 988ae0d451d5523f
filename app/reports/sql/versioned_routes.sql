-- The numbers of both versions of each route of a sync; NULL where a connector is not asked for.
-- Grain: one row a route. Index: none, a few thousand rows. Reads: the stage version_names. Parameter: lanes.
SELECT routes.id, sources.number AS source, destinations.number AS destination
FROM routes
LEFT JOIN version_names AS sources
  ON sources.kind = 'source' AND sources.key = routes.source_name AND sources.version = routes.source_version
LEFT JOIN version_names AS destinations
  ON destinations.kind = 'destination'
 AND destinations.key = routes.destination_name AND destinations.version = routes.destination_version
WHERE routes.event = 'sync'
  AND routes.lane = ANY(CAST(:lanes AS text[]))
  AND (sources.number IS NOT NULL
       OR destinations.number IS NOT NULL
       OR EXISTS (SELECT 1 FROM version_names WHERE version_names.kind = 'pyairbyte'))
