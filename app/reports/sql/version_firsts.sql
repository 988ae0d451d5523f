-- The first day of every version that was told: the day by which its second user had come, and a fiftieth of its users.
-- Grain: one row a kind, key and version. Reads: the stage version_days.
--
-- A sender whose clock is weeks slow is one user: alone it would make a version older than it is, and out of the window. A
-- version of one user begins with that user.
SELECT kind, key, version, min(first_day) AS first_day
FROM (
    SELECT
        kind, key, version, min(day) AS first_day,
        row_number() OVER (PARTITION BY kind, key, version ORDER BY min(day)) AS place,
        count(*) OVER (PARTITION BY kind, key, version) AS users
    FROM version_days
    WHERE version NOT IN ('', 'unknown', 'latest', 'other')
    GROUP BY kind, key, version, unit
) AS firsts
WHERE place >= least(users, greatest(2, ceil(users / 50.0)))
GROUP BY kind, key, version
