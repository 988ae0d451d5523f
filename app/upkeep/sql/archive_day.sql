-- What stays of a day when its `unit_days` go: connectors with 10 settled users or more, as users and users
-- affected, as public figures are. Grain: one row a day, role, connector and lane, bucket 0; without CI and
-- without pre-releases, as reports are by default. Index: the primary key of unit_days, by day. Parameter:
-- day.
INSERT INTO connector_days (day, bucket, role, connector, lane, units, affected_units)
SELECT
    day, 0, named.role, named.connector, lane,
    count(DISTINCT (unit_days.bucket, unit_days.unit)),
    count(DISTINCT (unit_days.bucket, unit_days.unit))
        FILTER (WHERE coalesce(failed, 0) > 0 AND failure_class <> 'config')
FROM unit_days
JOIN units ON units.bucket = unit_days.bucket AND units.unit = unit_days.unit
JOIN routes ON routes.id = unit_days.route
JOIN environments ON environments.id = unit_days.environment
LEFT JOIN failures ON failures.id = unit_days.failure
CROSS JOIN LATERAL (
    VALUES ('source', source_name), ('destination', destination_name)
) AS named (role, connector)
WHERE day = :day AND units.settled AND event = 'sync' AND NOT ci AND NOT prerelease AND named.connector <> ''
GROUP BY day, named.role, named.connector, lane
HAVING count(DISTINCT (unit_days.bucket, unit_days.unit)) >= 10
ON CONFLICT DO NOTHING
