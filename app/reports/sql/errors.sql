-- The report `errors`.
-- Grain: one row an exception class (the empty one: failures that named none).
-- Reads: the stages scope, error_users and error_connectors.
--
-- first_day, last_day: within the window. failed_before: in the window before.
SELECT
    failures.exception_class,
    failures.failure_class,
    totals.failed,
    totals.failed_before,
    totals.first_day,
    totals.last_day,
    error_users.affected_units,
    coalesce(error_connectors.connectors, 0) AS connectors,
    error_connectors.top_connector,
    coalesce(error_connectors.top_connectors, '') AS top_connectors
FROM (
    SELECT
        failure,
        CAST(sum(failed) FILTER (WHERE is_current) AS bigint) AS failed,
        CAST(coalesce(sum(failed) FILTER (WHERE NOT is_current), 0) AS bigint) AS failed_before,
        CAST(min(day) FILTER (WHERE is_current) AS text) AS first_day,
        CAST(max(day) FILTER (WHERE is_current) AS text) AS last_day
    FROM scope
    WHERE failure <> 0
    GROUP BY failure
) AS totals
JOIN failures ON failures.id = totals.failure
JOIN error_users ON error_users.failure = totals.failure
LEFT JOIN error_connectors ON error_connectors.failure = totals.failure
WHERE totals.failed > 0
