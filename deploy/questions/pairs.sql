-- Sources by destination or cache, over 28 days.
-- Picture: heat table.
SELECT source, CASE WHEN lane = 'write' THEN destination ELSE cache_type END AS target,
    sum(attempts) AS attempts, sum(failed) AS failed
FROM report.v1_pair_days
WHERE day > current_date - 28 AND lane <> 'direct' AND NOT ci AND NOT prerelease
GROUP BY 1, 2
ORDER BY failed DESC;
