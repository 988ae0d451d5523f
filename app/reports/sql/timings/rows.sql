-- The classes of durations of the window.
-- Grain: one row a key and class. Reads: the stage duration_classes.
SELECT number, quarters, timed, weight FROM duration_classes WHERE is_current
