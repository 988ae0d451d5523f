-- Adds new words, and notes that known ones are in use. By one writer at a time, in key order.
-- Grain: one row a word. Index: the primary key of words.
-- Parameters: subjects, words, write_keys, slots: arrays of one length; first_day.
INSERT INTO words (subject, word, write_key, slot, first_day, last_day)
SELECT subject, word, write_key, slot, %(first_day)s::date, CAST(now() AT TIME ZONE 'UTC' AS date)
FROM unnest(%(subjects)s::text[], %(words)s::text[], %(write_keys)s::smallint[], %(slots)s::smallint[])
    AS t (subject, word, write_key, slot)
ORDER BY subject, word
ON CONFLICT (subject, word) DO UPDATE SET last_day = excluded.last_day
    WHERE words.last_day < excluded.last_day
