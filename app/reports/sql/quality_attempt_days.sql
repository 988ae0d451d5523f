-- Data quality of the window's attempts, day by day and by lane.
-- Grain: one row a UTC day of the attempts' start and lane. Reads: the stage attempt_counts.
SELECT CAST(day AS text) AS day, lane, attempts, orphans, abandoned, in_flight,
    corrected, from_ledger, nobodys
FROM attempt_counts
WHERE is_current
ORDER BY day, lane
