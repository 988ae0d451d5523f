-- Users, and those of them whose every session is a first run: containers that mint a new id each time.
-- Grain: one row a window (is_current, else the one before). Reads: the stage scope. Parameter: nobody.
SELECT is_current, count(*) AS units, count(*) FILTER (WHERE first_runs = attempts) AS ephemeral
FROM (
    SELECT is_current, unit, sum(first_runs) AS first_runs,
        sum(succeeded + failed + canceled + open) AS attempts
    FROM scope
    WHERE unit <> CAST(:nobody AS bigint)
    GROUP BY is_current, unit
) AS users
WHERE attempts > 0
GROUP BY is_current
