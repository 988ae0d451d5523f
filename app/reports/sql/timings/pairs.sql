-- The classes of durations by what was read and where it went.
-- Grain: one row a route and class. Reads: the stages pair_numbers and timed_days.
SELECT pair_numbers.number, quarters, timed, weight
FROM timed_days
JOIN pair_numbers ON pair_numbers.id = timed_days.route
