-- Counts of outcomes (%(rows)s), those of `received` the fence. RETURNING brings the SQLSTATE of a violated
-- key back from a cluster, which copies rows in without, and says XX000. Grain: hour, batch, write key,
-- outcome, reason.
INSERT INTO outcomes (hour, batch_id, count, bucket, write_key, outcome, reason)
SELECT hour, batch_id, count, bucket, write_key, outcome, reason
FROM json_to_recordset(%(rows)s::json) AS c (
    hour timestamptz, batch_id uuid, count bigint, bucket smallint, write_key smallint, outcome text,
    reason text
)
RETURNING bucket
