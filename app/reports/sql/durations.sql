-- How long succeeded syncs take: median and nine tenths, by what the stage keyed numbers.
-- Grain: one row a key that has timed syncs in the window. Reads: the stage keyed.
--
-- A row of daily sums (one user, day, route, environment and application) stands with the geometric mean of its
-- syncs: durations / timed, the mean of their classes (app/store/durations.py), here in quarters of a class; it
-- weighs as many as they are, 5 at most, so that nobody's loop decides. Percentiles by nearest rank.
SELECT
    number,
    CAST(sum(timed) AS bigint) AS timed,
    min(quarters) FILTER (WHERE 2 * reached >= total) AS duration_p50,
    min(quarters) FILTER (WHERE 10 * reached >= 9 * total) AS duration_p90
FROM (
    SELECT
        number, quarters, timed,
        sum(weight) OVER (PARTITION BY number ORDER BY quarters) AS reached,
        sum(weight) OVER (PARTITION BY number) AS total
    FROM (
        SELECT
            number,
            (4 * durations + timed / 2) / timed AS quarters,
            sum(timed) AS timed,
            sum(least(timed, 5)) AS weight
        FROM keyed
        WHERE is_current AND timed > 0
        GROUP BY number, (4 * durations + timed / 2) / timed
    ) AS classes
) AS cumulated
GROUP BY number
