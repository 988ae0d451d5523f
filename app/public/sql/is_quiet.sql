-- Whether a month's events are in: no more than one in a hundred came within the last day (an import may be under way).
-- Grain: one row. Index: the partitions of the month, read whole: asked once a month, when its figures are due.
-- Parameters: month, next_month (their first days), now, quiet (an interval).
SELECT 100 * count(*) FILTER (WHERE received_at > CAST(:now AS timestamptz) - CAST(:quiet AS interval)) <= count(*)
FROM events
WHERE occurred_at >= CAST(:month AS timestamp) AT TIME ZONE 'UTC'
  AND occurred_at < CAST(:next_month AS timestamp) AT TIME ZONE 'UTC'
