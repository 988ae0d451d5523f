-- Whether something of a month still waits to be rolled up.
-- Grain: one row or none. Index: none; the marks are few.
-- Parameters: month, next_month (their first days); now; settling (an interval: how long after its end a
-- month waits);
--        patience (an interval: how much longer at most).
--
-- What came in before the wait was over must be rolled up. Other events of the month hold it back, too,
-- unless that lasts: whoever sends late events all the time would keep every month from coming out.
SELECT 1
FROM dirty_sessions
WHERE received_at < CAST(:next_month AS timestamp) AT TIME ZONE 'UTC' + CAST(:settling AS interval)
   OR (CAST(:now AS timestamptz)
           < CAST(:next_month AS timestamp) AT TIME ZONE 'UTC' + CAST(:settling AS interval) + CAST(:patience
               AS interval)
       AND occurred_at >= (CAST(:month AS timestamp) - interval '7 days') AT TIME ZONE 'UTC'
       AND occurred_at < CAST(:next_month AS timestamp) AT TIME ZONE 'UTC')
LIMIT 1
