-- Who votes: users who succeeded in the 28 days before the version's first day, and used it; and since when
-- they did. Grain: one row a comparison, side and unit. Reads: the stages version_days and sides.
SELECT sides.new_number, sides.is_new, sides.number, days.bucket, days.unit, min(days.day) AS start
FROM sides
JOIN version_days AS days ON days.number = sides.number AND days.day >= sides.since
WHERE EXISTS (
    SELECT 1
    FROM version_days AS before
    WHERE before.number >> 16 = sides.number >> 16 AND before.bucket = days.bucket AND before.unit = days.unit
      AND before.succeeded > 0 AND before.day BETWEEN sides.since - 28 AND sides.since - 1
)
GROUP BY sides.new_number, sides.is_new, sides.number, days.bucket, days.unit
