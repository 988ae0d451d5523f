-- Which connectors to fix first: most users times most failures, over 28 days.
-- Picture: table, or a scatter of units and capped_rate.
SELECT rank, connector, units, attempts, failed, failure_rate, failure_rate_upper, affected_units,
    capped_rate, burden
FROM report.v1_connectors
WHERE window_days = 28 AND role = 'source' AND NOT low_data
ORDER BY rank
LIMIT 50;
