-- When the oldest event arrived that is in no figure yet.
-- Grain: one row; NULL if every event is in them. Index: none, the queue is short.
SELECT min(received_at) FROM dirty_sessions
