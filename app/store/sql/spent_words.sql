-- What of the budget of new words is spent on this UTC day.
-- Grain: one row a subject, write key and slot; some thousand words a day at the most. Index:
-- words_first_day_idx.
SELECT subject, write_key, slot, CAST(count(*) AS integer) AS number
FROM words
WHERE first_day = CAST(now() AT TIME ZONE 'UTC' AS date) AND slot IS NOT NULL
GROUP BY subject, write_key, slot
