-- Partitions of events and ledger that hold rows and of which the planner has no statistics: made ahead, analyzed when
-- they were empty or never, and filling now. Autovacuum finds them within a minute.
-- Grain: one row a partition.
-- Index: none, the catalog's few rows.
SELECT CAST(CAST(tree.relid AS regclass) AS text) AS name
FROM pg_class AS c
JOIN (
    SELECT relid FROM pg_partition_tree('events') WHERE isleaf
    UNION ALL
    SELECT relid FROM pg_partition_tree('rejections') WHERE isleaf
) AS tree ON tree.relid = c.oid
WHERE c.reltuples <= 0 AND pg_stat_get_live_tuples(c.oid) > :rows
ORDER BY 1
