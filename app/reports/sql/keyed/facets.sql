-- What the filters leave, by every facet of the connector that is asked for.
-- Grain: one row a row of scope and facet (facet_names.sql). Reads: the stages route_facets, environment_facets
-- and scope. Parameter: prior_from (date).
--
-- Days are those of both windows, the other sections but before and error before of the window only: which
-- window, the number says.
SELECT
    true AS is_current, facets.number, bucket, unit, failure,
    succeeded, failed, canceled, open, in_flight, timed, durations
FROM scope
JOIN route_facets ON route_facets.id = scope.route
JOIN environment_facets ON environment_facets.id = scope.environment
CROSS JOIN LATERAL (
    VALUES
        (CASE WHEN is_current THEN 0 ELSE 1 END),
        (16 * (day - CAST(:prior_from AS date)) + 2),
        (CASE WHEN is_current THEN 16 * version_number + 3 END),
        (CASE WHEN is_current THEN 16 * target_number + 4 END),
        (CASE WHEN is_current THEN 16 * pyairbyte_number + 5 END),
        (CASE WHEN is_current THEN 16 * python_number + 6 END),
        (CASE WHEN is_current THEN 16 * os_number + 7 END),
        (CASE WHEN is_current THEN 16 * notebook_number + 8 END),
        (CASE WHEN is_current THEN 16 * executor_number + 9 END),
        (CASE WHEN is_current AND failure <> 0 THEN 16 * failure + 10 END),
        (CASE WHEN NOT is_current AND failure <> 0 THEN 16 * failure + 12 END),
        (CASE WHEN is_current AND failure <> 0 THEN 16 * (64 * failure + version_number) + 11 END)
) AS facets (number)
WHERE facets.number IS NOT NULL
