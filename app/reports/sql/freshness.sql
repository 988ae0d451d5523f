-- How far the figures are.
-- Grain: one row. Index: the primary key of unit_days; the queue is short.
-- Parameter: as_of (an instant).
SELECT days.last_day, queue.lag_seconds, queue.waiting
FROM (SELECT CAST(max(day) AS text) AS last_day FROM unit_days) AS days
CROSS JOIN (
    SELECT
        coalesce(greatest(extract(epoch FROM :as_of - min(received_at)), 0), 0) AS lag_seconds,
        count(*) AS waiting
    FROM dirty_sessions
) AS queue
