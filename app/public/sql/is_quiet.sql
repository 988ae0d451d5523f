-- Whether a month's events are in: nine of its settled users, or one in a hundred, had one come within the
-- last day, or fewer (an import may be under way). Of settled users, since others are not counted and could
-- hold a month up; and not for longer than until `latest`, since settled ones could, too. Grain: one row.
-- Index: the partitions of the month, read whole: asked while its figures are due, for a week at most.
-- Parameters: month, next_month (their first days), now, quiet (an interval), latest (an instant).
SELECT
    CAST(:now AS timestamptz) >= CAST(:latest AS timestamptz)
    OR count(*) FILTER (WHERE came_at > CAST(:now AS timestamptz) - CAST(:quiet AS interval)) <= greatest(9,
        count(*) / 100)
FROM (
    SELECT max(events.received_at) AS came_at
    FROM events
    JOIN units ON units.bucket = events.bucket AND units.unit = events.anonymous_id
    WHERE occurred_at >= CAST(:month AS timestamp) AT TIME ZONE 'UTC'
      AND occurred_at < CAST(:next_month AS timestamp) AT TIME ZONE 'UTC'
      AND units.settled
    GROUP BY events.bucket, events.anonymous_id
) AS users
