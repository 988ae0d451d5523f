-- Takes what the marked sessions contributed so far out of `attempts`, as negative sums, into the table `retracted`.
-- Grain: that of `attempts`. Index: attempts_session_key_idx.
-- Reads: `marks`. Parameter: since (days before are left alone).
WITH wanted AS MATERIALIZED (
    SELECT bucket, coalesce(session_key, message_key) AS session_key FROM marks
),
taken AS (
    DELETE FROM attempts AS a USING wanted AS m
    WHERE a.bucket = m.bucket
      AND a.session_key = m.session_key
      AND a.day >= CAST(:since AS date)
    RETURNING a.*
)
INSERT INTO retracted (
    day, route, environment, bucket, failure, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
)
SELECT
    day, route, environment, bucket, failure, unit, application_hash,
    -records, -succeeded, -failed, -canceled, -open, -orphans, -from_ledger, -first_runs, -corrected
FROM taken
