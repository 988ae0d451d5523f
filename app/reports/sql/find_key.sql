-- The number of a write key.
-- Grain: one row, none for a name that no key has. Index: write_keys_name_key. Parameter: name.
SELECT id FROM write_keys WHERE name = :name
