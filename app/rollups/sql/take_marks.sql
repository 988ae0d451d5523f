-- Takes the oldest marks of the claimed buckets off the queue, into the table `marks` of this connection.
-- Grain: one row a session to recompute; or a row without a session, by its message key.
-- Index: none, as claim_buckets.sql; rows are deleted by their place: nobody else deletes those of a claimed bucket.
--
-- What lies in a dropped range, or within 7 days of one, is frozen: the session's other events may be gone. Its marks
-- are dropped. late: not sent as it happened, but imported, or by a clock that is off.
WITH taken AS (
    DELETE FROM dirty_sessions
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM dirty_sessions
        WHERE bucket = ANY(CAST(:buckets AS smallint[]))
          AND (session_key IS NULL OR session_key <> ALL(CAST(:postponed AS uuid[])))
        ORDER BY received_at
        LIMIT :marks
    ))
    RETURNING bucket, session_key, message_key, occurred_at, received_at
)
INSERT INTO marks (bucket, session_key, message_key, lower, upper, late)
SELECT
    bucket, session_key, message_key, min(occurred_at), max(occurred_at),
    bool_or(received_at > occurred_at + interval '1 minute' OR received_at < occurred_at - interval '1 minute')
FROM taken
WHERE NOT EXISTS (
    SELECT FROM dropped_ranges AS d
    WHERE taken.occurred_at >= d.lower - interval '7 days' AND taken.occurred_at < d.upper + interval '7 days'
)
GROUP BY bucket, session_key, message_key
