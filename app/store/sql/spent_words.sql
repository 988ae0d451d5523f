-- What of the budget of new words is spent on this UTC day.
-- Grain: one row a subject, write key, history or not (slots below zero), and slot; NULL for all slots that
-- are not asked about. Index: words_first_day_idx. Parameter: slots, an array.
SELECT
    subject,
    write_key,
    slot < 0 AS historical,
    CASE WHEN slot IN (SELECT unnest(%(slots)s::smallint[])) THEN slot END AS slot,
    CAST(count(*) AS integer) AS number
FROM words
WHERE first_day = CAST(now() AT TIME ZONE 'UTC' AS date) AND slot IS NOT NULL
GROUP BY 1, 2, 3, 4
