-- Counts beside events (%(rows)s). Grain: hour, batch, write key, kind, reason.
INSERT INTO tallies (hour, batch_id, count, bucket, write_key, kind, reason)
SELECT hour, batch_id, count, bucket, write_key, kind, reason
FROM json_to_recordset(%(rows)s::json) AS t (
    hour timestamptz, batch_id uuid, count bigint, bucket smallint, write_key smallint, kind text,
    reason text
)
RETURNING bucket
