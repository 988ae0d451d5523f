-- When the oldest event arrived that is not rolled up yet: rollup lag = now - that.
-- Grain: one row; NULL if nothing is marked. Index: none, the queue is short.
SELECT min(received_at) FROM dirty_sessions
