-- Every version of a source, of a destination and of PyAirbyte that syncs ran with, numbered: an integer is
-- compared in less time than three words. Grain: one row a kind, key (a connector, or pyairbyte) and version.
-- Index: none, a few thousand rows. Reads: the stage environments_asked. Parameters: lanes, scope (all, or
-- one kind), connector (one key; NULL for all).
--
-- Names compare by bytes: sooner done than by a language's order, and the same everywhere; numbers are in
-- that order. number: 2^16 x the place of the key + that of the version among the key's, so that number >> 16
-- stands for the key. is_told: a version of its own, which can be held against another.
SELECT
    kind, key, version,
    version NOT IN ('', 'unknown', 'latest', 'other') AS is_told,
    CAST(65536 * dense_rank() OVER (ORDER BY kind, key) + row_number() OVER (PARTITION BY kind, key
        ORDER BY version) AS integer)
        AS number
FROM (
    SELECT kinds.kind COLLATE "C" AS kind, kinds.key COLLATE "C" AS key, kinds.version COLLATE "C" AS version
    FROM routes
    CROSS JOIN LATERAL (
        VALUES ('source', source_name, source_version), ('destination', destination_name, destination_version)
    ) AS kinds (kind, key, version)
    WHERE routes.event = 'sync' AND routes.lane = ANY(CAST(:lanes AS text[]))
    UNION
    SELECT 'pyairbyte', 'pyairbyte', version FROM environments_asked
) AS named
WHERE key NOT IN ('', 'unknown', 'custom')
  AND CAST(:scope AS text) IN ('all', kind)
  AND (CAST(:connector AS text) IS NULL OR key = CAST(:connector AS text))
