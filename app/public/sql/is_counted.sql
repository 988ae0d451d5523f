-- Whether anything was counted in a month.
-- Grain: one row or none. Index: the primary key of unit_days, by day.
-- Parameters: month, next_month (their first days).
SELECT 1 FROM unit_days WHERE day >= CAST(:month AS date) AND day < CAST(:next_month AS date) LIMIT 1
