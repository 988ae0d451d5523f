-- Every session that has something stored or rolled up since a moment, into the table `stored` of this
-- connection. Grain: one row a session, or a row without a session. Index: none: one scan of what is read
-- anyway. Parameter: since (an instant).
INSERT INTO stored (bucket, session_key, message_key, lower, upper, late)
SELECT bucket, session_key, message_key, min(occurred_at), max(occurred_at), false
FROM (
    SELECT bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END AS message_key, occurred_at
    FROM events
    WHERE occurred_at >= :since OR corrected_at >= :since
    UNION ALL
    SELECT bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END, occurred_at
    FROM rejections
    WHERE occurred_at >= :since OR corrected_at >= :since
) AS rows
GROUP BY bucket, session_key, message_key, CASE WHEN session_key IS NULL THEN occurred_at END
