-- Who votes: users who succeeded in the 28 days before the version's first day, and used it; and since when they did.
-- Grain: one row a comparison, side and unit. Reads: the stages version_days and sides.
SELECT sides.kind, sides.key, sides.new_version, sides.is_new, sides.version, days.unit, min(days.day) AS start
FROM sides
JOIN version_days AS days
  ON days.kind = sides.kind AND days.key = sides.key AND days.version = sides.version AND days.day >= sides.since
JOIN (
    SELECT DISTINCT sides.kind, sides.key, sides.new_version, sides.is_new, before.unit
    FROM sides
    JOIN version_days AS before ON before.kind = sides.kind AND before.key = sides.key
    WHERE before.succeeded > 0 AND before.day BETWEEN sides.since - 28 AND sides.since - 1
) AS returning_units
  ON returning_units.kind = sides.kind AND returning_units.key = sides.key
 AND returning_units.new_version = sides.new_version AND returning_units.is_new = sides.is_new
 AND returning_units.unit = days.unit
GROUP BY sides.kind, sides.key, sides.new_version, sides.is_new, sides.version, days.unit
