-- New versions, each with the one before it: the version with most users in the 28 days before the new one's first day.
-- Grain: one row a new version. Reads: the stages version_days, version_firsts and data_from.
-- Parameters: first_day, last_day: a version is new if its first day lies in the window.
--
-- old_since: the old version's first day; for one that is as old as the history, its 29th day, so that who succeeded in the
-- 28 days before can be told.
SELECT DISTINCT ON (used.kind, used.key, used.new_version)
    used.kind, used.key, used.new_version, used.since, used.old_version,
    greatest(old.first_day, data_from.day + 28) AS old_since
FROM (
    SELECT
        new.kind, new.key, new.version AS new_version, new.first_day AS since, days.version AS old_version,
        count(DISTINCT days.unit) AS units
    FROM version_firsts AS new
    JOIN version_days AS days ON days.kind = new.kind AND days.key = new.key
    WHERE new.first_day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
      AND new.first_day >= (SELECT day + 28 FROM data_from)
      AND days.version NOT IN ('', 'unknown', 'latest', 'other', new.version)
      AND days.day BETWEEN new.first_day - 28 AND new.first_day - 1
    GROUP BY new.kind, new.key, new.version, new.first_day, days.version
) AS used
CROSS JOIN data_from
JOIN version_firsts AS old ON old.kind = used.kind AND old.key = used.key AND old.version = used.old_version
ORDER BY used.kind, used.key, used.new_version, used.units DESC, old.first_day DESC, used.old_version DESC
