-- What each user did under each key.
-- Grain: one row a window, key and unit. Reads: the stage applications. Parameter: nobody (stands for no user).
--
-- settled = attempts - in_flight.
SELECT
    is_current, number, unit,
    CAST(sum(succeeded + failed + canceled + open) AS integer) AS attempts,
    CAST(sum(succeeded + failed + canceled + open - in_flight) AS integer) AS settled,
    CAST(sum(ranked) AS integer) AS ranked
FROM applications
WHERE unit <> CAST(:nobody AS uuid)
GROUP BY is_current, number, unit
