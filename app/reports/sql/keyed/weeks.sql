-- What the filters leave, by the connector that routes_asked numbered and by week. Week 0 ends with the
-- window's last day; what does not fill a week is left out. Grain: that of scope. Reads: the stage scope.
-- Parameters: first_day, last_day.
SELECT
    is_current, CAST(scope.number * 64 + (CAST(:last_day AS date) - day) / 7 AS integer) AS number,
    day, bucket, unit, route, environment, failure, application_hash, records,
    succeeded, failed, canceled, open, in_flight, orphans, from_ledger, first_runs, corrected
FROM scope
WHERE CAST(:last_day AS date) - day
    < (CAST(:last_day AS date) - CAST(:first_day AS date) + 1) / 7 * 7
