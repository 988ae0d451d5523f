-- The classes of durations by the connector that routes_asked numbered.
-- Grain: one row a route and class. Reads: the stages routes_asked and timed_days.
SELECT routes_asked.number, quarters, timed, weight
FROM timed_days
JOIN routes_asked ON routes_asked.id = timed_days.route
