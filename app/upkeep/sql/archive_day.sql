-- What stays of a day when its `unit_days` go: connectors with 10 users or more.
-- Grain: one row a day, role, connector and lane, bucket 0; without CI and without pre-releases, as reports are by default.
-- Index: the primary key of unit_days, by day. Parameter: day.
INSERT INTO connector_days (
    day, bucket, role, connector, lane, units, attempts, succeeded, failed, failed_config, canceled, open, records
)
SELECT
    day, 0, named.role, named.connector, lane,
    count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS uuid)),
    sum(succeeded + failed + canceled + open), sum(succeeded), sum(failed),
    coalesce(sum(failed) FILTER (WHERE failure_class = 'config'), 0), sum(canceled), sum(open), least(sum(records), 9e18)
FROM unit_days
JOIN routes ON routes.id = unit_days.route
JOIN environments ON environments.id = unit_days.environment
LEFT JOIN failures ON failures.id = unit_days.failure
CROSS JOIN LATERAL (
    VALUES ('source', source_name), ('destination', destination_name)
) AS named (role, connector)
WHERE day = :day AND event = 'sync' AND NOT ci AND NOT prerelease AND named.connector <> ''
GROUP BY day, named.role, named.connector, lane
HAVING count(DISTINCT unit) FILTER (WHERE unit <> CAST(:nobody AS uuid)) >= 10
ON CONFLICT DO NOTHING
