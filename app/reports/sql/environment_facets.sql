-- The facets of each environment that the connector ran in, each with a number.
-- Grain: one row an environment. Reads: the stages environments_asked, named_versions and facet_uses.
-- Parameter: role.
SELECT
    named.*,
    CAST(dense_rank() OVER (ORDER BY pyairbyte) AS integer) AS pyairbyte_number,
    CAST(dense_rank() OVER (ORDER BY python) AS integer) AS python_number,
    CAST(dense_rank() OVER (ORDER BY os) AS integer) AS os_number,
    CAST(dense_rank() OVER (ORDER BY notebook) AS integer) AS notebook_number,
    CAST(dense_rank() OVER (ORDER BY executor) AS integer) AS executor_number
FROM (
    SELECT
        environments_asked.id,
        releases.name AS pyairbyte,
        regexp_replace(python_version, '^([0-9]+[.][0-9]+)[^ ]*', '\1') AS python,
        regexp_replace(os, ' [(]release.*$', '') AS os,
        CASE notebook_runtime WHEN '' THEN 'none' ELSE notebook_runtime END AS notebook,
        CASE CAST(:role AS text) WHEN 'source' THEN source_executor_type
            ELSE destination_executor_type END AS executor
    FROM environments_asked
    LEFT JOIN named_versions AS releases
      ON releases.kind = 'environment' AND releases.version = environments_asked.version
    WHERE environments_asked.id IN (SELECT environment FROM facet_uses)
) AS named
