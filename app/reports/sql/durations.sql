-- Median and nine tenths of how long succeeded syncs take, by nearest rank.
-- Grain: one row a key that has timed syncs. Reads: the stage timings.
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
    FROM timings
) AS cumulated
GROUP BY number
