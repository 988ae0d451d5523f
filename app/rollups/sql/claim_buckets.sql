-- Buckets that nobody else works on, those that have waited longest first, locked until the end of the transaction.
-- Grain: one row a bucket, at most :buckets of them.
-- Index: none; the queue is short, or else there is work for all of it.
SELECT rollup_buckets.bucket
FROM rollup_buckets
JOIN (
    SELECT bucket, min(received_at) AS oldest
    FROM dirty_sessions
    WHERE session_key IS NULL OR session_key <> ALL(CAST(:postponed AS uuid[]))
    GROUP BY bucket
) AS waiting ON waiting.bucket = rollup_buckets.bucket
ORDER BY waiting.oldest
LIMIT :buckets
FOR UPDATE OF rollup_buckets SKIP LOCKED
