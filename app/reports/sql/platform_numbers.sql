-- What each environment is, dimension by dimension.
-- Grain: one row an environment and dimension. Reads: the stage environments_asked.
--
-- python: the minor version and the implementation. os: the family. executor: of the source, of the destination.
SELECT
    environments_asked.id, named.dimension, named.value,
    CAST(dense_rank() OVER (ORDER BY named.dimension, named.value) AS integer) AS number
FROM environments_asked
CROSS JOIN LATERAL (
    VALUES
        ('pyairbyte', version),
        ('python', regexp_replace(python_version, '^([0-9]+[.][0-9]+)[^ ]*', '\1')),
        ('os', regexp_replace(os, ' [(]release.*$', '')),
        ('notebook', CASE notebook_runtime WHEN '' THEN 'none' ELSE notebook_runtime END),
        ('ci', CASE WHEN ci THEN 'yes' ELSE 'no' END),
        ('source executor', source_executor_type),
        ('destination executor', destination_executor_type)
) AS named (dimension, value)
WHERE named.value <> ''
