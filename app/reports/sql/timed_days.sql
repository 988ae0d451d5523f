-- How long succeeded syncs of the window took, by route.
-- Grain: one row a route and class. Index: the primary key of unit_days, by day. Reads: the stage
-- environments_asked. Parameters: first_day, last_day, everybody, settled, keys, denied.
--
-- A row of daily sums (one user, day, route, environment and application) stands with the geometric mean of
-- its syncs: durations / timed, the mean of their classes (app/store/durations.py), here in quarters of a
-- class; it weighs as many as they are, 5 at most, so that nobody's loop decides. By itself and not beside
-- the counts: it needs a part of the rows, and none of their users.
SELECT
    route,
    (4 * durations + timed / 2) / timed AS quarters,
    sum(timed) AS timed,
    sum(least(timed, 5)) AS weight
FROM (
    SELECT route, coalesce(durations, 0) AS durations, coalesce(timed, succeeded, 0) AS timed
    FROM unit_days
    JOIN environments_asked ON environments_asked.id = unit_days.environment
    WHERE day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
      AND durations IS NOT NULL
      AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
            SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
                AND write_keys & CAST(:keys AS bigint) > 0
      ))
      AND unit <> ALL(CAST(:denied AS bigint[]))
) AS days
WHERE timed > 0
GROUP BY route, (4 * durations + timed / 2) / timed
