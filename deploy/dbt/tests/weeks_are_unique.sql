-- A connector has one row a week.
SELECT week, role, connector
FROM {{ ref('connector_weeks') }}
GROUP BY 1, 2, 3
HAVING count(*) > 1
