-- Both versions of each comparison.
-- Grain: one row a comparison and side. Reads: the stage comparisons.
SELECT kind, key, new_version, old_version, true AS is_new, new_version AS version, since FROM comparisons
UNION ALL
SELECT kind, key, new_version, old_version, false, old_version, old_since FROM comparisons
