-- Gives new environments their numbers, as number_routes.sql.
-- Grain: one row an environment. Index: environments_words_key.
-- Reads: the table `contributions` of this connection.
INSERT INTO environments (
    version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type, prerelease
)
SELECT DISTINCT
    version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type, prerelease
FROM contributions AS c
WHERE NOT EXISTS (
    SELECT FROM environments AS e
    WHERE (e.version, e.python_version, e.os, e.ci, e.notebook_runtime, e.source_executor_type,
           e.destination_executor_type, e.prerelease)
        = (c.version, c.python_version, c.os, c.ci, c.notebook_runtime, c.source_executor_type,
           c.destination_executor_type, c.prerelease)
)
ORDER BY version, python_version, os, ci, notebook_runtime, source_executor_type, destination_executor_type, prerelease
ON CONFLICT DO NOTHING
