-- One write batch in one statement, so in one transaction and one round trip.
-- Grain: a batch of events (%(events)s), of ledger rows (%(rejections)s) and of counts (%(counts)s, %(tallies)s).
-- Index: the primary keys, for ON CONFLICT. Rows come sorted by key, so that two writers cannot deadlock.
--
-- The rows of outcome 'received' fence the batch: a second commit under the same batch id violates their key.
-- Returns the message keys of the events that were new; the others were there before.
WITH incoming AS MATERIALIZED (
    SELECT {columns} FROM json_to_recordset(%(events)s::json) AS r ({event_types})
),
fresh AS (
    INSERT INTO events ({columns})
    SELECT {columns} FROM incoming
    ON CONFLICT DO NOTHING
    RETURNING message_key, received_at, write_key
),
ledger AS (
    INSERT INTO rejections ({columns}, reason, path)
    SELECT {columns}, reason, path FROM json_to_recordset(%(rejections)s::json) AS r ({rejection_types})
    ON CONFLICT DO NOTHING
),
accepted AS (
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, write_key, count(*) AS count FROM fresh GROUP BY 1, 2
),
submitted AS (
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, write_key, count(*) AS count FROM incoming GROUP BY 1, 2
),
counted AS (
    INSERT INTO outcomes (hour, batch_id, count, bucket, write_key, outcome, reason)
    SELECT hour, %(batch_id)s::uuid, count, %(bucket)s::smallint, write_key, outcome, reason
    FROM json_to_recordset(%(counts)s::json)
        AS c (hour timestamptz, write_key smallint, outcome text, reason text, count bigint)
    UNION ALL
    SELECT hour, %(batch_id)s::uuid, count, %(bucket)s::smallint, write_key, 'accepted', '' FROM accepted
    UNION ALL
    SELECT hour, %(batch_id)s::uuid, s.count - coalesce(a.count, 0), %(bucket)s::smallint, write_key, 'duplicate', ''
    FROM submitted AS s
    LEFT JOIN accepted AS a USING (hour, write_key)
    WHERE s.count > coalesce(a.count, 0)
),
tallied AS (
    INSERT INTO tallies (hour, batch_id, count, bucket, write_key, kind, reason)
    SELECT hour, %(batch_id)s::uuid, count, %(bucket)s::smallint, write_key, kind, reason
    FROM json_to_recordset(%(tallies)s::json)
        AS t (hour timestamptz, write_key smallint, kind text, reason text, count bigint)
)
SELECT message_key FROM fresh
