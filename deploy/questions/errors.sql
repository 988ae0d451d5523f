-- Exceptions of the last 28 days and the connectors that they come with.
-- Picture: table.
SELECT exception_class, failure_class, count(DISTINCT connector) AS connectors, sum(failed) AS failed,
    min(day) AS first_day, max(day) AS last_day
FROM report.v1_error_days
WHERE day > current_date - 28 AND NOT ci AND NOT prerelease
GROUP BY exception_class, failure_class
ORDER BY failed DESC;
