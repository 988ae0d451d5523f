-- Deletes the rows of `unit_days` that a retraction emptied.
-- Grain: that of `unit_days`. Index: its primary key.
-- Reads: the table `retracted` of this connection.
WITH emptied AS MATERIALIZED (SELECT DISTINCT day, bucket, day_key FROM retracted)
DELETE FROM unit_days AS d
USING emptied AS r
WHERE d.day = r.day AND d.bucket = r.bucket AND d.day_key = r.day_key
  AND coalesce(d.succeeded, 0) = 0 AND coalesce(d.failed, 0) = 0
  AND coalesce(d.canceled, 0) = 0 AND coalesce(d.open, 0) = 0
