-- Users by version and day.
-- Grain: one row a version and day. Reads: the stages release_numbers and keyed. Parameter: nobody.
SELECT
    names.version,
    CAST(used.day AS text) AS day,
    used.units,
    everybody.units AS all_units
FROM (
    SELECT number, day, count(DISTINCT unit) AS units
    FROM keyed
    WHERE unit <> CAST(:nobody AS bigint) AND is_current
    GROUP BY number, day
) AS used
JOIN (SELECT DISTINCT number, name AS version FROM release_numbers) AS names ON names.number = used.number
JOIN (
    SELECT day, count(DISTINCT unit) AS units FROM keyed WHERE unit <> CAST(:nobody AS bigint) GROUP BY day
) AS everybody ON everybody.day = used.day
ORDER BY names.version, used.day
