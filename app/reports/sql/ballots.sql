-- What each voter did in the first 7 days (UTC) on the version and, of a new one, in the 28 before them, on
-- any version. Grain: one row a comparison, side and unit. Reads: the stages version_days and voters.
-- Parameters: last_day, as_of.
--
-- A vote is settled when its seventh day is over. Whole weeks on both sides: weekdays cancel.
SELECT
    new_number, is_new, bucket, unit, start,
    CAST(sum(ranked) AS double precision) AS ranked,
    CAST(sum(settled) AS double precision) AS settled,
    CAST(sum(ranked_before) AS double precision) AS ranked_before,
    CAST(sum(settled_before) AS double precision) AS settled_before
FROM (
    SELECT
        voters.new_number, voters.is_new, voters.bucket, voters.unit, voters.start,
        days.ranked, days.settled, 0 AS ranked_before, 0 AS settled_before
    FROM voters
    JOIN version_days AS days
      ON days.number = voters.number AND days.bucket = voters.bucket AND days.unit = voters.unit
     AND days.day BETWEEN voters.start AND voters.start + 6
    UNION ALL
    SELECT
        voters.new_number, voters.is_new, voters.bucket, voters.unit, voters.start,
        0, 0, days.ranked, days.settled
    FROM voters
    JOIN version_days AS days
      ON days.number >> 16 = voters.number >> 16 AND days.bucket = voters.bucket AND days.unit = voters.unit
     AND days.day BETWEEN voters.start - 28 AND voters.start - 1
    WHERE voters.is_new
) AS parts
WHERE start + 6 <= CAST(:last_day AS date)
  AND start + 6 < CAST(CAST(:as_of AS timestamptz) AT TIME ZONE 'UTC' AS date)
GROUP BY new_number, is_new, bucket, unit, start
HAVING sum(settled) > 0
