-- Both versions of each comparison.
-- Grain: one row a comparison and side. Reads: the stage comparisons.
SELECT new_number, true AS is_new, new_number AS number, since FROM comparisons
UNION ALL
SELECT new_number, false, old_number, old_since FROM comparisons
