-- How far the figures are.
-- Grain: one row. Index: the primary key of unit_days; the queue is short.
-- Parameters: as_of (an instant), waiting_since (when the oldest event arrived that is still on its way
-- here).
SELECT days.last_day, queue.lag_seconds, queue.waiting
FROM (SELECT CAST(max(day) AS text) AS last_day FROM unit_days) AS days
CROSS JOIN (
    SELECT
        coalesce(
            greatest(
                extract(epoch FROM :as_of - least(min(received_at), CAST(:waiting_since AS timestamptz))), 0
            ),
            0
        ) AS lag_seconds,
        count(*) AS waiting
    FROM dirty_sessions
) AS queue
