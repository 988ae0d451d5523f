-- The facets of each route: the connector's version, and where it went (a destination, else a cache), or of a
-- destination what was written (a source, else a result that was read before), and what that is; each with a
-- number. Grain: one row a route. Reads: the stages routes_asked and named_versions. Parameter: role.
SELECT
    named.*,
    CAST(dense_rank() OVER (ORDER BY version) AS integer) AS version_number,
    CAST(dense_rank() OVER (ORDER BY target_kind, target) AS integer) AS target_number
FROM (
    SELECT
        routes_asked.id, versions.name AS version,
        CASE
            WHEN CAST(:role AS text) = 'destination' THEN coalesce(nullif(source_name, ''), '(a result)')
            WHEN lane = 'write' THEN destination_name
            ELSE cache_type
        END AS target,
        CASE
            WHEN CAST(:role AS text) = 'destination' THEN CASE source_name WHEN '' THEN 'result'
                ELSE 'source' END
            WHEN lane = 'write' THEN 'destination'
            ELSE 'cache'
        END AS target_kind
    FROM routes_asked
    LEFT JOIN named_versions AS versions
      ON versions.kind = 'route' AND versions.version = routes_asked.connector_version
) AS named
