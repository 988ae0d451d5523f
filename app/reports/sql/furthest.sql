-- How far each user got in the window.
-- Grain: one row a user. Index: the primary key of unit_days, by day.
-- Reads: the stages environments_asked and steps. Parameters: first_day, last_day, everybody, settled, keys,
-- denied, nobody.
--
-- tried, succeeded: a bit for every step.
SELECT
    unit,
    max(step) AS furthest,
    bit_or(1 << step) AS tried,
    bit_or(CASE WHEN coalesce(succeeded, 0) > 0 THEN 1 << step ELSE 0 END) AS succeeded
FROM unit_days
JOIN steps ON steps.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
WHERE day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
  AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND unit <> ALL(CAST(:denied AS bigint[]))
  AND unit <> CAST(:nobody AS bigint)
GROUP BY unit
