-- Whom each failure met in the window.
-- Grain: one row a failure. Reads: the stage scope. Parameter: nobody.
SELECT failure, count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint)) AS affected_units
FROM scope
WHERE failure <> 0 AND is_current
GROUP BY failure
