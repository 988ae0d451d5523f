-- What today adds to the figures of the days before it.
-- Grain: one row. Index: the primary key of unit_days, by day. Reads: the stages routes_asked and
-- environments_asked. Parameters: today (the UTC day of as_of), everybody, settled, keys, denied, nobody.
SELECT
    CAST(:today AS date) AS today,
    coalesce(sum(
        coalesce(succeeded, 0) + coalesce(failed, 0) + coalesce(canceled, 0) + coalesce(open, 0)
    ), 0) AS attempts,
    coalesce(sum(coalesce(failed, 0)), 0) AS failed,
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS bigint)) AS units
FROM unit_days
JOIN routes_asked ON routes_asked.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
WHERE day = CAST(:today AS date) AND unit <> ALL(CAST(:denied AS bigint[]))
  AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
