-- Months that are over for long enough and whose figures are not out, oldest first.
-- Grain: one row a month: its first day.
-- Index: the primary key of publications.
-- Parameters: now; oldest (the first day that is kept by user); settling (an interval: how long after its end
-- a month
--        waits).
--
-- Whether there is anything to publish is asked of each month apart, of the distributed tables that know:
-- is_counted.sql, is_waiting.sql; last is_quiet.sql looks at the events, which would be too much for every
-- hour.
SELECT CAST(month AS date) AS month
FROM generate_series(
    date_trunc('month', CAST(:oldest AS timestamp) + interval '1 month' - interval '1 day'),
    date_trunc('month', CAST(:now AS timestamptz) AT TIME ZONE 'UTC' - CAST(:settling AS interval)) - interval
        '1 month',
    interval '1 month'
) AS months (month)
WHERE NOT EXISTS (SELECT FROM publications AS p WHERE p.month = CAST(months.month AS date))
ORDER BY month
