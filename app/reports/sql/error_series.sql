-- Failures by exception and day of the window.
-- Grain: one row an exception class and day. Reads: the stage scope. Parameter: nobody.
SELECT
    failures.exception_class,
    CAST(scope.day AS text) AS day,
    CAST(sum(scope.failed) AS bigint) AS failed,
    count(DISTINCT scope.unit) FILTER (WHERE scope.unit <> CAST(:nobody AS bigint)) AS affected_units
FROM scope
JOIN failures ON failures.id = scope.failure
WHERE scope.failure <> 0 AND scope.is_current
GROUP BY failures.exception_class, scope.day
ORDER BY failures.exception_class, scope.day
