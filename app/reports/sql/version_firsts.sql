-- The first day of every version that was told.
-- Grain: one row a kind, key and version. Reads: the stage version_days.
SELECT kind, key, version, min(day) AS first_day
FROM version_days
WHERE version NOT IN ('', 'unknown', 'latest')
GROUP BY kind, key, version
