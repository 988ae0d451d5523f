-- Months that are over and settled and whose figures are not out, oldest first.
-- Grain: one row a month: its first day.
-- Index: the primary key of unit_days for each month; the marks are few.
-- Parameters: now; oldest (the first day that is kept by user); settling (an interval: how long after its end a month
--        waits); patience (an interval: how much longer at most).
--
-- Settled: what came in before the wait was over is rolled up, and nothing of the month waits to be, unless that lasts: whoever
-- sends late events all the time would keep every month from coming out. is_quiet.sql then
-- looks at the events, which would be too much for every hour.
SELECT CAST(month AS date) AS month
FROM generate_series(
    date_trunc('month', CAST(:oldest AS timestamp) + interval '1 month' - interval '1 day'),
    date_trunc('month', CAST(:now AS timestamptz) AT TIME ZONE 'UTC' - CAST(:settling AS interval)) - interval '1 month',
    interval '1 month'
) AS months (month)
WHERE NOT EXISTS (SELECT FROM publications AS p WHERE p.month = CAST(months.month AS date))
  AND EXISTS (
      SELECT FROM unit_days AS u
      WHERE u.day >= CAST(months.month AS date) AND u.day < CAST(months.month + interval '1 month' AS date)
  )
  AND NOT EXISTS (
      SELECT FROM dirty_sessions AS q
      WHERE q.received_at < (months.month + interval '1 month') AT TIME ZONE 'UTC' + CAST(:settling AS interval)
         OR (CAST(:now AS timestamptz)
                 < (months.month + interval '1 month') AT TIME ZONE 'UTC' + CAST(:settling AS interval) + CAST(:patience AS interval)
             AND q.occurred_at >= (months.month - interval '7 days') AT TIME ZONE 'UTC'
             AND q.occurred_at < (months.month + interval '1 month') AT TIME ZONE 'UTC')
  )
ORDER BY month
