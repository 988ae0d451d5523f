-- Days of each version, and all users together: what adoption is a share of.
-- Grain: one row a version, and one of NULL for all. Reads: the stages release_numbers and keyed. Parameter: nobody.
SELECT
    release_numbers.version,
    CAST(min(day) AS text) AS first_day,
    CAST(max(day) AS text) AS last_day,
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint)) AS units
FROM keyed
JOIN release_numbers ON release_numbers.number = keyed.number
GROUP BY release_numbers.version
UNION ALL
SELECT
    NULL,
    CAST(min(day) AS text),
    CAST(max(day) AS text),
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint))
FROM keyed
JOIN release_numbers ON release_numbers.number = keyed.number
