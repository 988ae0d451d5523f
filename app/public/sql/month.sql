-- What a calendar month was, connector by connector, before anything is suppressed: never to be shown as it is.
-- Grain: one row a connector of one role; those in `together` count as one, under the name :other, each user once.
-- Index: the primary key of unit_days, by day.
-- Parameters: month, next_month (their first days), role, together (names), other, nobody, denied (units to leave out).
--
-- Lanes cache and write, without CI and pre-releases, as reports are by default. Attempts without a user count as attempts.
SELECT
    CASE WHEN connector = ANY(CAST(:together AS text[])) THEN CAST(:other AS text) ELSE connector END AS connector,
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS uuid)) AS units,
    CAST(sum(succeeded + failed + canceled + open) AS bigint) AS attempts,
    CAST(sum(failed) AS bigint) AS failed,
    count(DISTINCT unit) FILTER (
        WHERE unit <> CAST(:nobody AS uuid) AND failed > 0 AND failure_class <> 'config'
    ) AS affected_units
FROM (
    SELECT
        CASE WHEN :role = 'source' THEN source_name ELSE destination_name END AS connector,
        unit, succeeded, failed, canceled, open, failure_class
    FROM unit_days
    JOIN routes ON routes.id = route
    JOIN environments ON environments.id = environment
    LEFT JOIN failures ON failures.id = failure
    WHERE day >= :month AND day < :next_month
      AND unit <> ALL(CAST(:denied AS uuid[]))
      AND event = 'sync' AND lane <> 'direct' AND NOT ci AND NOT prerelease
) AS month
WHERE connector <> ''
GROUP BY 1
