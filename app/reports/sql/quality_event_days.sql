-- What became of the events of the window, day by day.
-- Grain: one row a UTC day of arrival, section and item. Reads: the stage event_counts.
SELECT CAST(day AS text) AS day, section, item, CAST(sum(count) AS bigint) AS count
FROM event_counts
WHERE is_current
GROUP BY day, section, item
ORDER BY day, section, item
