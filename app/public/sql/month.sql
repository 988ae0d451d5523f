-- What a calendar month was, connector by connector, before anything is suppressed: never to be shown as it
-- is. Grain: one row a connector of one role; those in `together` count as one, under the name :other, each
-- user once. Index: the primary key of unit_days, by day. Parameters: month, next_month (their first days),
-- role, together (names), other, denied (units to leave out).
--
-- Settled users only: ids cost nothing, so nine of them made up in an afternoon would let a tenth be told.
-- Users and users affected, never attempts: one user's loop is most of such a sum, and whoever knows his own
-- share can subtract it. Lanes cache and write, without CI and pre-releases, as reports are by default.
SELECT
    CASE WHEN connector = ANY(CAST(:together AS text[])) THEN CAST(:other AS text)
        ELSE connector END AS connector,
    count(DISTINCT (bucket, unit)) AS units,
    count(DISTINCT (bucket, unit)) FILTER (WHERE failed > 0 AND failure_class <> 'config') AS affected_units
FROM (
    SELECT
        CASE WHEN :role = 'source' THEN source_name ELSE destination_name END AS connector,
        unit_days.bucket, unit_days.unit, coalesce(failed, 0) AS failed, failure_class
    FROM unit_days
    JOIN units ON units.bucket = unit_days.bucket AND units.unit = unit_days.unit
    JOIN routes ON routes.id = route
    JOIN environments ON environments.id = environment
    LEFT JOIN failures ON failures.id = failure
    WHERE day >= :month AND day < :next_month
      AND units.settled
      AND unit_days.unit <> ALL(CAST(:denied AS bigint[]))
      AND event = 'sync' AND lane <> 'direct' AND NOT ci AND NOT prerelease
) AS month
WHERE connector <> ''
GROUP BY 1
