-- Failure rate by version of each connector, over 28 days. Metabase: turn the connector into a filter.
-- Picture: table.
SELECT connector, connector_version, sum(attempts) AS attempts, sum(failed) AS failed,
    sum(failed)::float8 / nullif(sum(attempts - in_flight), 0) AS failure_rate
FROM report.v1_version_days
WHERE day > current_date - 28 AND role = 'source' AND NOT ci AND NOT prerelease
GROUP BY connector, connector_version
ORDER BY connector, attempts DESC;
