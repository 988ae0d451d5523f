-- The report `versions`, before it is rated.
-- Grain: one row a version. Reads: the stages release_numbers and counts.
SELECT release_numbers.version, counts.*
FROM counts
JOIN release_numbers ON release_numbers.number = counts.number
