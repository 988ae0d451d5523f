-- What became of the events that arrived in the window, whatever they were.
-- Grain: one row a section (outcome, rejected, withheld, refused, client_dropped, envelope) and item.
-- Index: none: counts, one row an hour, write key, outcome and reason once they are a day old.
-- Parameters: first_day, last_day (UTC days of arrival).
SELECT 'outcome' AS section, outcome AS item, CAST(sum(count) AS bigint) AS count
FROM outcomes
WHERE hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC' AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
GROUP BY outcome
UNION ALL
SELECT 'rejected', reason, CAST(sum(count) AS bigint)
FROM outcomes
WHERE outcome = 'rejected'
  AND hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC' AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
GROUP BY reason
UNION ALL
SELECT kind, reason, CAST(sum(count) AS bigint)
FROM tallies
WHERE hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC' AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
GROUP BY kind, reason
