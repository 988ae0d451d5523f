-- How long succeeded syncs take, by what the stage keyed numbers.
-- Grain: one row a window, key and class. Reads: the stage keyed.
--
-- A row of daily sums (one user, day, route, environment and application) stands with the geometric mean of
-- its syncs: durations / timed, the mean of their classes (app/store/durations.py), here in quarters of a
-- class; it weighs as many as they are, 5 at most, so that nobody's loop decides.
SELECT
    is_current, number,
    (4 * durations + timed / 2) / timed AS quarters,
    sum(timed) AS timed,
    sum(least(timed, 5)) AS weight
FROM keyed
WHERE timed > 0
GROUP BY is_current, number, (4 * durations + timed / 2) / timed
