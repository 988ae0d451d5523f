-- The first day of the history that there is.
-- Grain: one row; NULL without data. Reads: the stage version_days.
SELECT min(day) AS day FROM version_days
