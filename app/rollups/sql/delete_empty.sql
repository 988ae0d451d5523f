-- Deletes the rows of `unit_days` that a retraction emptied.
-- Grain: that of `unit_days`. Index: its primary key.
-- Reads: the table `retracted` of this connection.
WITH emptied AS MATERIALIZED (
    SELECT DISTINCT day, bucket, unit, route, environment, failure, application_hash FROM retracted
)
DELETE FROM unit_days AS d
USING emptied AS r
WHERE (d.day, d.bucket, d.unit, d.route, d.environment, d.failure, d.application_hash)
    = (r.day, r.bucket, r.unit, r.route, r.environment, r.failure, r.application_hash)
  AND d.succeeded = 0 AND d.failed = 0 AND d.canceled = 0 AND d.open = 0
