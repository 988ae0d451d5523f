-- Exception classes that a new version brought: seen on it, and on no other version of the same before it.
-- Grain: one row a new version and exception class.
-- Index: the primary key of unit_days, by day; unit_days_route_idx for one connector.
-- Reads: the stages environments_asked, version_names, versioned_routes and comparisons.
-- Parameters: history_from, last_day, everybody, settled, keys, denied, nobody.
SELECT
    comparisons.new_number, failures.exception_class,
    count(DISTINCT unit) FILTER (WHERE used.number = comparisons.new_number
        AND unit <> CAST(:nobody AS bigint)) AS units
FROM unit_days
JOIN versioned_routes ON versioned_routes.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
JOIN failures ON failures.id = unit_days.failure
LEFT JOIN version_names AS releases ON releases.kind = 'pyairbyte'
    AND releases.version = environments_asked.version
CROSS JOIN LATERAL (VALUES (versioned_routes.source), (versioned_routes.destination),
    (releases.number)) AS used (number)
JOIN comparisons ON comparisons.new_number >> 16 = used.number >> 16
WHERE unit_days.day BETWEEN CAST(:history_from AS date) AND CAST(:last_day AS date)
  AND unit_days.failure <> 0
  AND failures.failure_class <> 'config'
  AND failures.exception_class NOT IN ('', 'other')
  AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND unit <> ALL(CAST(:denied AS bigint[]))
  AND (
        (used.number = comparisons.new_number AND unit_days.day >= comparisons.since)
        OR (used.number <> comparisons.new_number AND unit_days.day < comparisons.since)
    )
GROUP BY comparisons.new_number, failures.exception_class
HAVING count(*) FILTER (WHERE used.number <> comparisons.new_number) = 0
