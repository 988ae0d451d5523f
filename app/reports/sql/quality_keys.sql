-- What became of the events of the window and of the one before, by the write key that they came under.
-- Grain: one row a window (is_current, else the one before), write key's number and outcome. Reads: the stage
-- event_counts.
SELECT is_current, write_key, item, CAST(sum(count) AS bigint) AS count
FROM event_counts
WHERE section = 'outcome'
GROUP BY is_current, write_key, item
