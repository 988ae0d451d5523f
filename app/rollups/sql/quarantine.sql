-- Puts a session aside whose recomputation fails; its marks are dropped from now on.
-- Grain: one row. Parameters: bucket, session_key (of a row without a session its message key), sqlstate.
INSERT INTO quarantined_sessions (quarantined_at, met_at, bucket, session_key, sqlstate)
VALUES (now(), now(), :bucket, :session_key, :sqlstate)
ON CONFLICT (bucket, session_key) DO UPDATE SET met_at = excluded.met_at, sqlstate = excluded.sqlstate
