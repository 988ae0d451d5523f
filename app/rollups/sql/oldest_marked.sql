-- The session of the table `marks`, if it holds one only.
-- Grain: one row, or none. Reads: the table `marks` of this connection.
SELECT bucket, coalesce(session_key, message_key) AS session_key FROM marks LIMIT 2
