-- Failed attempts by class of exception, in the window and in the one before.
-- Grain: one row a class. Reads: the stage scope.
SELECT
    failures.failure_class,
    CAST(coalesce(sum(failed) FILTER (WHERE is_current), 0) AS bigint) AS failed,
    CAST(coalesce(sum(failed) FILTER (WHERE NOT is_current), 0) AS bigint) AS failed_before
FROM scope
JOIN failures ON failures.id = scope.failure
WHERE scope.failure <> 0
GROUP BY failures.failure_class
