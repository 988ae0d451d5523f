-- The names of the write keys.
-- Grain: one row a write key. Index: none, a few rows.
SELECT id, name FROM write_keys
