-- Attempted syncs of each connector by whole week (Monday, UTC), without CI and pre-releases. Users do not
-- add up: none here.
SELECT
    date_trunc('week', day)::date AS week,
    role,
    connector,
    sum(attempts) AS attempts,
    sum(succeeded) AS succeeded,
    sum(failed) AS failed,
    sum(failed_config) AS failed_config,
    sum(abandoned) AS abandoned,
    sum(failed)::float8 / nullif(sum(attempts - in_flight), 0) AS failure_rate,
    sum(failed + abandoned)::float8 / nullif(sum(attempts - in_flight), 0) AS failure_rate_upper
FROM {{ source('report', 'v1_connector_days') }}
WHERE attempts IS NOT NULL -- of days older than 400 days only users stay
  AND lane <> 'direct' AND NOT ci AND NOT prerelease
GROUP BY 1, 2, 3
