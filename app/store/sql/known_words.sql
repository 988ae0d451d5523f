-- Which of some words are known, and whether their use was noted on this UTC day.
-- Grain: one row a known word; one of NULLs if none is, for the day. Index: the primary key of words.
-- Parameters: subjects and words, arrays of one length.
SELECT today.day, w.subject, w.word, w.last_day >= today.day AS is_current
FROM (SELECT CAST(now() AT TIME ZONE 'UTC' AS date) AS day) AS today
LEFT JOIN (
    words AS w
    JOIN unnest(%(subjects)s::text[], %(words)s::text[]) AS asked (subject, word)
      ON w.subject = asked.subject AND w.word = asked.word
) ON true
