-- What the filters leave, by route.
-- Grain: that of scope. Reads: the stage scope.
SELECT is_current, route AS number, timed, durations FROM scope
