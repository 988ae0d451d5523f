-- Gives new environments their numbers, as number_routes.sql.
-- Grain: one row an environment. Index: environments_words_key.
-- Reads: the table `signals` of this connection.
--
-- prerelease: anything but N.N.N, N.N.N.post and `other`, and 0.0.0; NULL of an unknown version, which is
-- neither. It follows from the version, so nothing is looked up by it.
WITH reported AS MATERIALIZED (
    SELECT DISTINCT
        version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type
    FROM signals
)
INSERT INTO environments (
    version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type,
    prerelease, last_day
)
SELECT
    version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type,
    CASE
        WHEN version <> '' THEN version = '0.0.0' OR version !~ '^([0-9]+\.[0-9]+\.[0-9]+(\.post)?|other)$'
    END,
    CAST(now() AT TIME ZONE 'UTC' AS date)
FROM reported AS s
WHERE NOT EXISTS (
    SELECT 1 FROM environments AS e
    WHERE (e.version, e.python_version, e.os, e.ci, e.notebook_runtime, e.source_executor_type,
           e.destination_executor_type)
        = (s.version, s.python_version, s.os, s.ci, s.notebook_runtime, s.source_executor_type,
           s.destination_executor_type)
      AND e.last_day >= CAST(now() AT TIME ZONE 'UTC' AS date)
)
ORDER BY version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type
ON CONFLICT (version, python_version, os, ci, notebook_runtime, source_executor_type,
    destination_executor_type)
DO UPDATE SET last_day = excluded.last_day WHERE environments.last_day < excluded.last_day
