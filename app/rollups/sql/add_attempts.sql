-- Puts what the marked sessions contribute now into `attempts`.
-- Grain: that of `attempts`. Reads: the table `contributions` of this connection.
INSERT INTO attempts (session_key, day_key, settles_at, records, day, times, bucket, kind)
SELECT session_key, day_key, settles_at, nullif(records, 0), day, nullif(times, 1), bucket, kind
FROM contributions
