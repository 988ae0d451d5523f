-- What each environment is, dimension by dimension.
-- Grain: one row an environment and dimension. Reads: the stages environments_asked and named_versions.
--
-- python: the minor version and the implementation. os: the family. executor: of the source, of the
-- destination. An environment stands in every dimension once: as `unknown` where its word is missing or was
-- withheld, as `none` where there was nothing to name.
SELECT
    environments_asked.id, named.dimension, named.value,
    CAST(dense_rank() OVER (ORDER BY named.dimension, named.value) AS integer) AS number
FROM environments_asked
LEFT JOIN named_versions ON named_versions.kind = 'environment'
    AND named_versions.version = environments_asked.version
CROSS JOIN LATERAL (
    VALUES
        ('pyairbyte', coalesce(nullif(named_versions.name, ''), 'unknown')),
        ('python', coalesce(nullif(regexp_replace(python_version, '^([0-9]+[.][0-9]+)[^ ]*', '\1'), ''),
            'unknown')),
        ('os', coalesce(nullif(regexp_replace(os, ' [(]release.*$', ''), ''), 'unknown')),
        ('notebook', coalesce(nullif(notebook_runtime, ''), 'none')),
        ('ci', CASE WHEN ci THEN 'yes' ELSE 'no' END),
        ('source executor', coalesce(nullif(source_executor_type, ''), 'none')),
        ('destination executor', coalesce(nullif(destination_executor_type, ''), 'none'))
) AS named (dimension, value)
