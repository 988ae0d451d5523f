-- Takes what the marked sessions contributed so far out of `attempts`, as negative sums, into the table
-- `retracted`, with what the row of `unit_days` is about that it was added to. Grain: that of `attempts`.
-- Index: attempts_session_key_idx; the primary key of unit_days. Reads: `marks`. Parameter: since (days
-- before are left alone).
WITH wanted AS MATERIALIZED (
    SELECT bucket, coalesce(session_key, message_key) AS session_key FROM marks
),
taken AS (
    DELETE FROM attempts AS a USING wanted AS m
    WHERE a.bucket = m.bucket
      AND a.session_key = m.session_key
      AND a.day >= CAST(:since AS date)
    RETURNING a.day, a.bucket, a.day_key, a.kind, a.times, a.records
)
INSERT INTO retracted (
    unit, application_hash, day_key, records, day, route, environment, times, bucket, failure, kind
)
SELECT
    d.unit, d.application_hash, d.day_key, -coalesce(t.records, 0), d.day, d.route, d.environment,
        -coalesce(t.times, 1),
    d.bucket, d.failure, t.kind
FROM taken AS t
JOIN unit_days AS d ON d.day = t.day AND d.bucket = t.bucket AND d.day_key = t.day_key
