-- Marks events that were refused for their session, stood for themselves since, and are accepted now: an
-- import that was run again after an upgrade. What they contributed is taken back under their message key.
-- Grain: one row such an event. Index: session_key of events in the partitions within 7 days of a mark; the
-- primary key of rejections. Reads: `marks`, of them the late ones only: what has just happened was not
-- refused before.
INSERT INTO marks (bucket, session_key, message_key, lower, upper, late)
WITH wanted AS MATERIALIZED (
    SELECT bucket, session_key, lower, upper FROM marks WHERE late
)
SELECT DISTINCT r.bucket, CAST(NULL AS bigint), r.message_key, r.occurred_at, r.occurred_at, false
FROM wanted AS m
JOIN events AS e
  ON e.session_key = m.session_key AND e.bucket = m.bucket
 AND e.occurred_at >= m.lower - interval '7 days' AND e.occurred_at <= m.upper + interval '7 days'
 /* within e */
JOIN rejections AS r
  ON r.occurred_at = e.occurred_at /* within r */
     AND r.bucket = e.bucket AND r.message_key = e.message_key
WHERE num_nulls(r.session_key) = 1
