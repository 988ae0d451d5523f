-- What each connector was day by day, in the window and in the one before.
-- Grain: one row a connector and day. Reads: the stages routes_asked and scope. Parameter: nobody.
SELECT
    routes_asked.connector,
    CAST(scope.day AS text) AS day,
    CAST(sum(succeeded + failed + canceled + open) AS bigint) AS attempts,
    CAST(sum(succeeded + failed + canceled + open - in_flight) AS bigint) AS settled,
    CAST(sum(failed) AS bigint) AS failed,
    count(DISTINCT scope.unit) FILTER (WHERE scope.unit <> CAST(:nobody AS bigint)) AS units
FROM scope
JOIN routes_asked ON routes_asked.id = scope.route
GROUP BY routes_asked.connector, scope.day
ORDER BY routes_asked.connector, scope.day
