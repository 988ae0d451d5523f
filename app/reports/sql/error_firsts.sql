-- Where and when each exception was first seen, as far as the history goes, and when it was last.
-- Grain: one row an exception class. Index: the primary key of unit_days, by day; unit_days_route_idx for one
-- connector. Reads: the stages routes_asked and environments_asked. Parameters: history_from, prior_from,
-- last_day, everybody, settled, keys, denied, name (NULL: the version is PyAirbyte's, else the connector's).
SELECT DISTINCT ON (failures.exception_class)
    failures.exception_class,
    failures.failure_class,
    CAST(unit_days.day AS text) AS first_seen,
    CAST(max(unit_days.day) OVER (PARTITION BY failures.exception_class) AS text) AS last_seen,
    CASE WHEN CAST(:name AS text) IS NULL THEN environments_asked.version
        ELSE routes_asked.connector_version END
        AS first_version
FROM unit_days
JOIN routes_asked ON routes_asked.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
JOIN failures ON failures.id = unit_days.failure
WHERE unit_days.failure <> 0
  AND unit_days.day BETWEEN least(CAST(:history_from AS date), CAST(:prior_from AS date))
      AND CAST(:last_day AS date)
  AND (CAST(:everybody AS boolean) OR (unit_days.bucket, unit_days.unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND unit_days.unit <> ALL(CAST(:denied AS bigint[]))
ORDER BY failures.exception_class, unit_days.day, first_version
