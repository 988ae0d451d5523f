-- What became of the events of the window and of the one before.
-- Grain: one row a window (is_current, else the one before), section (outcome, rejected, withheld, refused,
-- client_dropped,
--        envelope, outside_window, new_word) and item. Reads: the stage event_counts.
SELECT is_current, section, item, CAST(sum(count) AS bigint) AS count
FROM event_counts
GROUP BY is_current, section, item
