-- The report `pairs`, before it is ranked.
-- Grain: one row a source, target (destination or cache) and lane. Reads: the stages pair_numbers, counts and
-- durations.
SELECT
    names.source_name, names.target, names.lane, counts.*,
    coalesce(durations.timed, 0) AS timed, durations.duration_p50, durations.duration_p90
FROM counts
JOIN (SELECT DISTINCT number, source_name, target, lane FROM pair_numbers) AS names
    ON names.number = counts.number
LEFT JOIN durations ON durations.number = counts.number
