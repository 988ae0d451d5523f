-- The first UTC day of which there are figures; NULL before the first event.
-- Grain: one row. Index: the primary key of unit_days, by day.
SELECT min(day) FROM unit_days
