-- What was accepted since the last look, newest first: words of the vocabulary only, no id, not even a
-- scrambled one. Grain: one row an event of `events`. Index: the primary key, which begins with occurred_at,
-- read backwards over two minutes of it; `received_at` has no index,
--        since one would cost every event. Events whose own clock is further off are counted, and not listed.
-- Parameters: since (received_at of the last look), from_time and to_time (bounds of occurred_at), most.
SELECT
    received_at,
    CAST(event AS text) AS event,
    CAST(state AS text) AS state,
    coalesce(source_name, destination_name) AS connector,
    exception_class AS error,
    CAST(cache_type AS text) AS cache,
    version
FROM events
WHERE occurred_at >= :from_time AND occurred_at < :to_time AND received_at > :since
ORDER BY occurred_at DESC
LIMIT :most
