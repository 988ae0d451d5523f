-- The report `pairs`, before it is ranked.
-- Grain: one row a source, target (destination or cache) and lane.
-- Reads: the stages pair_numbers and counts.
SELECT names.source_name, names.target, names.lane, counts.*
FROM counts
JOIN (SELECT DISTINCT number, source_name, target, lane FROM pair_numbers) AS names
    ON names.number = counts.number
