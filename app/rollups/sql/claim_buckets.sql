-- Buckets that nobody else works on, those that have waited longest first, locked until the end of the
-- transaction. Grain: one row a bucket, at most :buckets of them. Index: none; the queue is short, or else
-- there is work for all of it.
--
-- The queue is a step of its own: no row is locked in one query level with a distributed table.
WITH waiting AS MATERIALIZED (
    SELECT bucket, min(received_at) AS oldest
    FROM dirty_sessions
    WHERE session_key IS NULL OR session_key <> ALL(CAST(:postponed AS bigint[]))
    GROUP BY bucket
)
SELECT rollup_buckets.bucket
FROM rollup_buckets
JOIN waiting ON waiting.bucket = rollup_buckets.bucket
ORDER BY waiting.oldest
LIMIT :buckets
FOR UPDATE OF rollup_buckets SKIP LOCKED
