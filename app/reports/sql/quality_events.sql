-- What became of the events that arrived in the window and in the one before, whatever they were.
-- Grain: one row a window (is_current, else the one before), section (outcome, rejected, withheld, refused, client_dropped,
--        envelope, new_word) and item.
-- Index: none: counts, one row an hour, write key, outcome and reason once they are a day old.
-- Parameters: prior_from, first_day, last_day (UTC days of arrival).
SELECT is_current, section, item, CAST(sum(count) AS bigint) AS count
FROM (
    SELECT hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC' AS is_current, named.section, named.item, count
    FROM outcomes
    CROSS JOIN LATERAL (
        VALUES ('outcome', outcome), (CASE outcome WHEN 'rejected' THEN 'rejected' END, reason)
    ) AS named (section, item)
    WHERE named.section IS NOT NULL
      AND hour >= CAST(:prior_from AS date) AT TIME ZONE 'UTC'
      AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
    UNION ALL
    SELECT hour >= CAST(:first_day AS date) AT TIME ZONE 'UTC', kind, reason, count
    FROM tallies
    WHERE hour >= CAST(:prior_from AS date) AT TIME ZONE 'UTC'
      AND hour < (CAST(:last_day AS date) + 1) AT TIME ZONE 'UTC'
) AS counted
GROUP BY is_current, section, item
