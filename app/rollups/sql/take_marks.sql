-- Takes the sessions of the claimed buckets that were marked first off the queue, with all their marks, into
-- the table `marks` of this connection. Grain: one row a session to recompute; or a row without a session, by
-- its message key. Index: none, as claim_buckets.sql; nobody else deletes marks of a claimed bucket.
--
-- What lies in a dropped range, or within 7 days of one, is frozen: the session's other events may be gone.
-- Its marks are dropped, and so are those of a quarantined session. A row without a session has its own
-- instant: lower = upper. late: not sent as it happened, but imported, or by a clock that is off.
WITH chosen AS MATERIALIZED (
    SELECT bucket, coalesce(session_key, message_key) AS key
    FROM dirty_sessions
    WHERE bucket IN (SELECT unnest(CAST(:buckets AS smallint[])))
      AND (session_key IS NULL OR session_key <> ALL(CAST(:postponed AS bigint[])))
    GROUP BY bucket, coalesce(session_key, message_key)
    ORDER BY min(received_at)
    LIMIT :marks
),
taken AS (
    DELETE FROM dirty_sessions AS d
    USING chosen
    WHERE d.bucket = chosen.bucket AND coalesce(d.session_key, d.message_key) = chosen.key
    RETURNING d.bucket, d.session_key, d.message_key, d.occurred_at, d.received_at
),
met AS (
    UPDATE quarantined_sessions AS q SET met_at = now()
    FROM taken
    WHERE q.bucket = taken.bucket AND q.session_key = coalesce(taken.session_key, taken.message_key)
    RETURNING q.bucket, q.session_key
)
INSERT INTO marks (bucket, session_key, message_key, lower, upper, late)
SELECT
    bucket, session_key, message_key, min(occurred_at), max(occurred_at),
    bool_or(received_at > occurred_at + interval '1 minute'
        OR received_at < occurred_at - interval '1 minute')
FROM taken
WHERE NOT EXISTS (
    SELECT 1 FROM dropped_ranges AS d
    WHERE taken.occurred_at >= d.lower - interval '7 days' AND taken.occurred_at < d.upper + interval '7 days'
)
AND NOT EXISTS (
    SELECT 1 FROM met WHERE met.bucket = taken.bucket AND met.session_key = coalesce(taken.session_key,
        taken.message_key)
)
GROUP BY bucket, session_key, message_key, CASE WHEN session_key IS NULL THEN occurred_at END
