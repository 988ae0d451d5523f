-- What became of the attempts of the window and of the one before, day by day and by lane.
-- Grain: one row a UTC day of the attempts' start and lane. Reads: the stages routes_asked and scope.
-- Parameter: nobody.
SELECT
    scope.is_current,
    scope.day,
    routes_asked.lane,
    CAST(sum(succeeded + failed + canceled + open) AS bigint) AS attempts,
    CAST(sum(orphans) AS bigint) AS orphans,
    CAST(sum(open - in_flight) AS bigint) AS abandoned,
    CAST(sum(in_flight) AS bigint) AS in_flight,
    CAST(sum(corrected) AS bigint) AS corrected,
    CAST(sum(from_ledger) AS bigint) AS from_ledger,
    CAST(coalesce(sum(succeeded + failed + canceled + open) FILTER (WHERE unit = CAST(:nobody AS bigint)),
        0) AS bigint)
        AS nobodys
FROM scope
JOIN routes_asked ON routes_asked.id = scope.route
GROUP BY scope.is_current, scope.day, routes_asked.lane
