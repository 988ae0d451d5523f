-- Asks for sessions to be rolled up: a row a session (%(rows)s).
INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key, message_key)
SELECT received_at, occurred_at, bucket, session_key, message_key
FROM json_to_recordset(%(rows)s::json) AS m (
    received_at timestamptz, occurred_at timestamptz, bucket smallint, session_key bigint, message_key bigint
)
RETURNING bucket
