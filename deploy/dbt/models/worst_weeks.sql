-- Weeks in which a connector failed more often than in its four weeks before.
SELECT week, role, connector, attempts, failure_rate, failure_rate_before
FROM (
    SELECT
        *,
        avg(failure_rate) OVER (
            PARTITION BY role, connector ORDER BY week ROWS BETWEEN 4 PRECEDING AND 1 PRECEDING
        ) AS failure_rate_before
    FROM {{ ref('connector_weeks') }}
) AS weeks
WHERE failure_rate > failure_rate_before
