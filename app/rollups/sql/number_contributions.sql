-- The contributions with numbers for words, as `attempts` holds them.
-- Grain: that of `attempts`. Index: the keys of routes, environments and failures.
-- Reads: the table `contributions` of this connection. Parameter: since (days before are left alone).
INSERT INTO numbered (
    settles_at, day, route, environment, bucket, failure, session_key, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
)
SELECT
    c.settles_at, c.day, r.id, e.id, c.bucket, coalesce(f.id, 0), c.session_key, c.unit, c.application_hash,
    c.records, c.succeeded, c.failed, c.canceled, c.open, c.orphans, c.from_ledger, c.first_runs, c.corrected
FROM contributions AS c
JOIN routes AS r
  ON (r.source_name, r.destination_name, r.lane, r.event, r.source_version, r.destination_version, r.cache_type)
   = (c.source_name, c.destination_name, c.lane, c.event, c.source_version, c.destination_version, c.cache_type)
JOIN environments AS e
  ON (e.version, e.python_version, e.os, e.ci, e.notebook_runtime, e.source_executor_type,
      e.destination_executor_type, e.prerelease)
   = (c.version, c.python_version, c.os, c.ci, c.notebook_runtime, c.source_executor_type,
      c.destination_executor_type, c.prerelease)
LEFT JOIN failures AS f ON f.exception_class = c.exception_class
WHERE c.day >= CAST(:since AS date)
