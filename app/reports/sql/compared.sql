-- Both versions of each comparison in words.
-- Grain: one row a new version. Reads: the stages version_names and comparisons.
SELECT
    comparisons.new_number, new.kind, new.key, new.version AS new_version, old.version AS old_version,
    CAST(comparisons.since AS text) AS since
FROM comparisons
JOIN version_names AS new ON new.number = comparisons.new_number
JOIN version_names AS old ON old.number = comparisons.old_number
