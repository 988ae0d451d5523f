-- How far the figures are.
-- Grain: one row. Index: the primary key of unit_days; the queue is short.
-- Parameter: as_of (an instant).
SELECT
    (SELECT CAST(max(day) AS text) FROM unit_days) AS last_day,
    (SELECT coalesce(greatest(extract(epoch FROM :as_of - min(received_at)), 0), 0) FROM dirty_sessions) AS lag_seconds,
    (SELECT count(*) FROM dirty_sessions) AS waiting
