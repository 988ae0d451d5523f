-- What became of the events that arrived in the window and in the one before, whatever they were, hour by
-- hour. Grain: one row a row of `outcomes` or `tallies`, and one more for the reason of what was rejected.
-- Index: none: counts, one row an hour, write key, outcome and reason once they are a day old. Parameters:
-- prior_from, first_day, last_day (UTC days of arrival), key_number (of a write key; NULL for all).
SELECT
    hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC' AS is_current,
    CAST(hour AT TIME ZONE 'UTC' AS date) AS day,
    write_key, named.section, named.item, count
FROM outcomes
CROSS JOIN LATERAL (
    VALUES ('outcome', outcome), (CASE outcome WHEN 'rejected' THEN 'rejected' END, reason)
) AS named (section, item)
WHERE named.section IS NOT NULL
  AND hour >= CAST(:prior_from AS date) AT TIME ZONE 'UTC'
  AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
  AND (CAST(:key_number AS integer) IS NULL OR write_key = CAST(:key_number AS integer))
UNION ALL
SELECT
    hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC',
    CAST(hour AT TIME ZONE 'UTC' AS date),
    write_key, kind, reason, count
FROM tallies
WHERE hour >= CAST(:prior_from AS date) AT TIME ZONE 'UTC'
  AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
  AND (CAST(:key_number AS integer) IS NULL OR write_key = CAST(:key_number AS integer))
