-- A rate lies between 0 and 1, and its upper bound above it.
SELECT week, role, connector
FROM {{ ref('connector_weeks') }}
WHERE failure_rate < 0 OR failure_rate_upper > 1 OR failure_rate > failure_rate_upper
