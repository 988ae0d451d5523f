-- Puts what the marked sessions contribute now into `attempts`.
-- Grain: that of `attempts`. Reads: the table `contributions` of this connection.
INSERT INTO attempts (
    settles_at, day, route, environment, bucket, failure, session_key, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
)
SELECT
    settles_at, day, route, environment, bucket, failure, session_key, unit, application_hash,
    records, succeeded, failed, canceled, open, orphans, from_ledger, first_runs, corrected
FROM contributions
