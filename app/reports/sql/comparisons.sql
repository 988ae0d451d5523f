-- New versions, each with the one before it: the version with most users in the 28 days before the new one's
-- first day. Grain: one row a new version. Reads: the stages version_days, version_firsts and data_from.
-- Parameters: first_day, last_day: a version is new if its first day lies in the window.
--
-- old_since: the old version's first day; for one that is as old as the history, its 29th day, so that who
-- succeeded in the 28 days before can be told.
SELECT DISTINCT ON (used.new_number)
    used.new_number, used.since, used.old_number,
    greatest(old.first_day, data_from.day + 28) AS old_since
FROM (
    SELECT new_number, since, old_number, count(*) AS units
    FROM (
        SELECT DISTINCT
            new.number AS new_number, new.first_day AS since, days.number AS old_number, days.bucket,
                days.unit
        FROM version_firsts AS new
        JOIN version_days AS days ON days.number >> 16 = new.number >> 16
        WHERE new.first_day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
          AND new.first_day >= (SELECT day + 28 FROM data_from)
          AND days.number <> new.number
          AND days.day BETWEEN new.first_day - 28 AND new.first_day - 1
    ) AS users
    GROUP BY new_number, since, old_number
) AS used
CROSS JOIN data_from
JOIN version_firsts AS old ON old.number = used.old_number
ORDER BY used.new_number, used.units DESC, old.first_day DESC, used.old_number DESC
