-- What each user did on each day with each version of a source, of a destination, and of PyAirbyte.
-- Grain: one row a kind, key (a connector, or pyairbyte), version, unit and day.
-- Index: the primary key of unit_days, by day. Reads: the stage environments_asked.
-- Parameters: history_from, last_day (dates), lanes, scope (all, or one kind), connector (one key; NULL for all), users, denied, nobody.
--
-- ranked: failures of another class than config. What is in flight is no failure; a vote is counted days later. Names compare
-- by bytes: sooner done than by a language's order, and the same everywhere.
SELECT
    kinds.kind COLLATE "C" AS kind, kinds.key COLLATE "C" AS key, kinds.version COLLATE "C" AS version, unit, day,
    sum(unit_days.succeeded + failed + canceled + open) AS settled,
    sum(CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0 ELSE failed END) AS ranked,
    sum(unit_days.succeeded) AS succeeded
FROM unit_days
JOIN routes ON routes.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
CROSS JOIN LATERAL (
    VALUES
        ('source', source_name, source_version),
        ('destination', destination_name, destination_version),
        ('pyairbyte', 'pyairbyte', environments_asked.version)
) AS kinds (kind, key, version)
WHERE day BETWEEN CAST(:history_from AS date) AND CAST(:last_day AS date)
  AND routes.event = 'sync'
  AND routes.lane = ANY(CAST(:lanes AS text[]))
  AND kinds.key NOT IN ('', 'unknown', 'custom')
  AND CAST(:scope AS text) IN ('all', kinds.kind)
  AND (CAST(:connector AS text) IS NULL OR kinds.key = CAST(:connector AS text))
  AND (CAST(:users AS text) = 'all' OR (bucket, unit) IN (SELECT bucket, unit FROM units WHERE settled))
  AND unit <> ALL(CAST(:denied AS bigint[]))
  AND unit <> CAST(:nobody AS bigint)
GROUP BY kinds.kind, kinds.key, kinds.version, unit, day
