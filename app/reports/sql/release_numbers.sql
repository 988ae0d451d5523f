-- The versions that are asked for, numbered by the name under which they are shown.
-- Grain: one row a version. Reads: the stage named_versions.
SELECT version, name, CAST(dense_rank() OVER (ORDER BY name) AS integer) AS number FROM named_versions
