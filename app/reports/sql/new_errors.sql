-- Exception classes that a new version brought: seen on it, and on no other version of the same before it.
-- Grain: one row a new version and exception class.
-- Index: the primary key of unit_days, by day. Reads: the stages environments_asked and comparisons.
-- Parameters: history_from, last_day, lanes, users, denied, nobody.
SELECT
    comparisons.kind, comparisons.key, comparisons.new_version, failures.exception_class,
    count(DISTINCT unit) FILTER (WHERE kinds.version = comparisons.new_version AND unit <> CAST(:nobody AS bigint)) AS units
FROM unit_days
JOIN routes ON routes.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
JOIN failures ON failures.id = unit_days.failure
CROSS JOIN LATERAL (
    VALUES
        ('source', source_name, source_version),
        ('destination', destination_name, destination_version),
        ('pyairbyte', 'pyairbyte', environments_asked.version)
) AS kinds (kind, key, version)
JOIN comparisons ON comparisons.kind = kinds.kind AND comparisons.key = kinds.key
WHERE unit_days.day BETWEEN CAST(:history_from AS date) AND CAST(:last_day AS date)
  AND unit_days.failure <> 0
  AND failures.failure_class <> 'config'
  AND failures.exception_class NOT IN ('', 'other')
  AND routes.event = 'sync'
  AND routes.lane = ANY(CAST(:lanes AS text[]))
  AND (CAST(:users AS text) = 'all' OR (bucket, unit) IN (SELECT bucket, unit FROM units WHERE settled))
  AND unit <> ALL(CAST(:denied AS bigint[]))
  AND (
        (kinds.version = comparisons.new_version AND unit_days.day >= comparisons.since)
        OR (kinds.version <> comparisons.new_version
            AND unit_days.day < comparisons.since)
    )
GROUP BY comparisons.kind, comparisons.key, comparisons.new_version, failures.exception_class
HAVING count(*) FILTER (WHERE kinds.version <> comparisons.new_version) = 0
