-- What each user did on each day with each version of a source, of a destination, and of PyAirbyte: read
-- once, for all three kinds. Grain: one row a version's number, unit and day. Index: the primary key of
-- unit_days, by day; unit_days_route_idx for one connector. Reads: the stages environments_asked,
-- version_names and versioned_routes. Parameters: history_from, last_day (dates), everybody, settled, keys,
-- denied, nobody.
--
-- ranked: failures of another class than config. Counts saturate, as those of applications.sql do. What is in
-- flight is no failure; a vote is counted days later.
SELECT
    used.number, bucket, unit, day,
    CAST(least(sum(
        coalesce(unit_days.succeeded, 0) + coalesce(failed, 0) + coalesce(canceled, 0) + coalesce(open, 0)
    ), 1073741820) AS integer) AS settled,
    CAST(least(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0
            ELSE coalesce(failed, 0) END
    ), 1073741820) AS integer) AS ranked,
    CAST(least(sum(coalesce(unit_days.succeeded, 0)), 1073741820) AS integer) AS succeeded
FROM unit_days
JOIN versioned_routes ON versioned_routes.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
LEFT JOIN version_names AS releases ON releases.kind = 'pyairbyte'
    AND releases.version = environments_asked.version
CROSS JOIN LATERAL (VALUES (versioned_routes.source), (versioned_routes.destination),
    (releases.number)) AS used (number)
WHERE day BETWEEN CAST(:history_from AS date) AND CAST(:last_day AS date)
  AND used.number IS NOT NULL
  AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND unit <> ALL(CAST(:denied AS bigint[]))
  AND unit <> CAST(:nobody AS bigint)
GROUP BY used.number, bucket, unit, day
