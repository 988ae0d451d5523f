-- Routes that the filters leave, and the connector that each stands for under the role asked for.
-- Grain: one row a route of a sync. Index: none, a few thousand rows.
-- Parameters: lanes; role (source, destination, or any: then no connector stands for a route); connector
-- (syncs in which
--             it took part, in either role; NULL for all); name (the one connector that is asked for; NULL
-- for all). `number` stands for the connector while rows are added up: an integer is compared in less time
-- than a name.
SELECT routes.*, CAST(min(id) OVER (PARTITION BY connector) AS integer) AS number
FROM (
    SELECT
        id, lane, source_name, source_version, destination_name, destination_version, cache_type,
        CASE CAST(:role AS text) WHEN 'source' THEN source_name WHEN 'destination' THEN destination_name
            ELSE '' END
            AS connector,
        CASE CAST(:role AS text) WHEN 'source' THEN source_version WHEN 'destination' THEN destination_version
            ELSE '' END
            AS connector_version
    FROM routes
    WHERE event = 'sync'
      AND lane = ANY(CAST(:lanes AS text[]))
      AND (CAST(:connector AS text) IS NULL OR CAST(:connector AS text) IN (source_name, destination_name))
) AS routes
WHERE (CAST(:role AS text) = 'any' OR connector <> '')
  AND (CAST(:name AS text) IS NULL OR connector = CAST(:name AS text))
