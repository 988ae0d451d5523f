-- Days of each version, and all users together: what adoption is a share of.
-- Grain: one row a version, rarely used ones together, and one of NULL for all. Reads: the stages
-- release_numbers and keyed. Parameter: nobody.
SELECT
    names.version,
    CAST(min(day) AS text) AS first_day,
    CAST(max(day) AS text) AS last_day,
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint)) AS units
FROM keyed
JOIN (SELECT DISTINCT number, name AS version FROM release_numbers) AS names ON names.number = keyed.number
GROUP BY names.version
UNION ALL
SELECT
    NULL,
    CAST(min(day) AS text),
    CAST(max(day) AS text),
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint))
FROM keyed
