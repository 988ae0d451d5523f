-- What each user did under each key.
-- Grain: one row a window, key and unit. Reads: the stage applications. Parameter: nobody (stands for no user).
--
-- settled = attempts - in_flight.
SELECT
    is_current, number, unit,
    CAST(least(sum(succeeded + failed + canceled + open), 2147483647) AS integer) AS attempts,
    CAST(least(sum(succeeded + failed + canceled + open - in_flight), 2147483647) AS integer) AS settled,
    CAST(least(sum(ranked), 2147483647) AS integer) AS ranked
FROM applications
WHERE unit <> CAST(:nobody AS bigint)
GROUP BY is_current, number, unit
