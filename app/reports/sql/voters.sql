-- Who votes: users who succeeded in the 28 days before the version's first day, and used it; and since when they did.
-- Grain: one row a comparison, side and unit. Reads: the stages version_days and sides.
SELECT sides.kind, sides.key, sides.new_version, sides.is_new, sides.version, days.unit, min(days.day) AS start
FROM sides
JOIN version_days AS days
  ON days.kind = sides.kind AND days.key = sides.key AND days.version = sides.version AND days.day >= sides.since
WHERE EXISTS (
    SELECT 1
    FROM version_days AS before
    WHERE before.kind = sides.kind AND before.key = sides.key AND before.unit = days.unit
      AND before.succeeded > 0 AND before.day BETWEEN sides.since - 28 AND sides.since - 1
)
GROUP BY sides.kind, sides.key, sides.new_version, sides.is_new, sides.version, days.unit
