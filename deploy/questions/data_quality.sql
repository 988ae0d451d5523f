-- What became of the events of the last 28 days.
-- Picture: table.
SELECT outcome, reason, sum(count) AS events
FROM report.v1_outcomes
WHERE hour > now() - interval '28 days'
GROUP BY outcome, reason
ORDER BY events DESC;
