-- With which connectors each failure was met in the window, in either role.
-- Grain: one row a failure. Reads: the stages routes_asked and scope.
--
-- top_connector: the one with most users whom the failure met.
SELECT failure, count(*) AS connectors, (array_agg(connector
    ORDER BY affected DESC, connector))[1] AS top_connector,
    array_to_string(
        (array_agg(connector || ' (' || affected || ')' ORDER BY affected DESC, connector))[1:5], ', '
    ) AS top_connectors
FROM (
    SELECT scope.failure, names.connector, count(DISTINCT scope.unit) AS affected
    FROM scope
    JOIN routes_asked ON routes_asked.id = scope.route
    CROSS JOIN LATERAL (VALUES (source_name), (destination_name)) AS names (connector)
    WHERE scope.failure <> 0 AND names.connector <> '' AND scope.is_current
    GROUP BY scope.failure, names.connector
) AS by_connector
GROUP BY failure
