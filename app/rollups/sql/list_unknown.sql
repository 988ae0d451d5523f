-- Partitions of events and ledger that hold rows and of which the planner has no statistics: made ahead,
-- analyzed when they were empty or never, and filling now. Autovacuum finds them within a minute. (A vacuum
-- counts the rows of a partition and leaves no statistics of its columns.) Grain: one row a partition. Index:
-- those of the catalog.
SELECT CAST(CAST(tree.relid AS regclass) AS text) AS name
FROM pg_class AS c
JOIN (
    SELECT relid FROM pg_partition_tree('events') WHERE isleaf
    UNION ALL
    SELECT relid FROM pg_partition_tree('rejections') WHERE isleaf
) AS tree ON tree.relid = c.oid
WHERE pg_stat_get_live_tuples(c.oid) > :rows
  AND NOT EXISTS (
    SELECT FROM pg_stats AS s
    WHERE s.schemaname = CAST(CAST(c.relnamespace AS regnamespace) AS text)
      AND s.tablename = c.relname AND s.attname = 'session_key'
  )
ORDER BY 1
