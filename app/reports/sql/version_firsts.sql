-- The first day of every version that was told: the day by which its second user had come, and a fiftieth of
-- its users. Grain: one row a version's number. Reads: the stages version_names and version_days.
--
-- A sender whose clock is weeks slow is one user: alone it would make a version older than it is, and out of
-- the window. A version of one user begins with that user.
SELECT number, min(day) AS first_day
FROM (
    SELECT
        arrivals.number, day,
        sum(came) OVER (PARTITION BY arrivals.number ORDER BY day) AS place,
        sum(came) OVER (PARTITION BY arrivals.number) AS users
    FROM (
        SELECT number, day, CAST(count(*) AS integer) AS came
        FROM (SELECT number, min(day) AS day FROM version_days GROUP BY number, bucket, unit) AS firsts
        GROUP BY number, day
    ) AS arrivals
    JOIN version_names AS names ON names.number = arrivals.number AND names.is_told
) AS ordered
WHERE place >= least(users, greatest(2, (users + 49) / 50))
GROUP BY number
