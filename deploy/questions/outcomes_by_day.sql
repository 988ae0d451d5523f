-- Attempted syncs by day and outcome, lanes cache and write; today is provisional.
-- Picture: stacked bars.
SELECT day, sum(succeeded) AS succeeded, sum(failed) AS failed, sum(canceled) AS canceled,
    sum(abandoned) AS abandoned
FROM report.v1_fleet_days
WHERE day > current_date - 28 AND lane <> 'direct' AND NOT ci AND NOT prerelease
GROUP BY day
ORDER BY day;
