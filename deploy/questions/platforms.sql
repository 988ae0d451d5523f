-- Where PyAirbyte runs, over 28 days. Users do not add up over days: read attempts.
-- Picture: bars.
SELECT os, python_version, notebook_runtime, sum(attempts) AS attempts, sum(failed) AS failed
FROM report.v1_platform_days
WHERE day > current_date - 28 AND NOT ci AND NOT prerelease
GROUP BY os, python_version, notebook_runtime
ORDER BY attempts DESC;
