-- Installs, validations, checks and syncs by connector, over 28 days.
-- Picture: bars.
SELECT event, sum(succeeded) AS succeeded, sum(failed) AS failed
FROM report.v1_funnel_days
WHERE day > current_date - 28 AND role = 'source' AND NOT ci AND NOT prerelease
GROUP BY event
ORDER BY array_position(ARRAY['install', 'validate', 'check', 'sync'], event);
