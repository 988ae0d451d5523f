-- Under which name a version is shown: the 50 most used of each kind under their own, all others as one
-- `other (n)`, n how many; what was stored as `other` is one of them. Grain: one row a kind and version.
-- Index: the primary key of unit_days, by day, or unit_days_route_idx. Reads: the stage reported. Parameters:
-- prior_from, last_day (dates). used: rows of daily sums. They are counted only where there are more than 50.
SELECT
    kind,
    version,
    CASE
        WHEN NOT is_rare THEN version
        WHEN count(*) FILTER (WHERE is_rare AND used > 0 AND version <> 'other') OVER (PARTITION BY kind) = 0
            THEN 'other'
        ELSE 'other (' || count(*) FILTER (WHERE is_rare AND used > 0
            AND version <> 'other') OVER (PARTITION BY kind) || ')'
    END AS name
FROM (
    SELECT
        kind,
        version,
        used,
        version = 'other'
          OR row_number() OVER (PARTITION BY kind ORDER BY version = 'other', used DESC,
              version) > 50 AS is_rare
    FROM (
        SELECT reported.kind, reported.version, coalesce(sum(used.rows), 0) AS used
        FROM reported
        LEFT JOIN (
            SELECT 'environment' AS kind, environment AS id, count(*) AS rows
            FROM unit_days
            WHERE day BETWEEN CAST(:prior_from AS date) AND CAST(:last_day AS date)
              AND (SELECT count(DISTINCT version) FROM reported WHERE kind = 'environment') > 50
            GROUP BY environment
            UNION ALL
            SELECT 'route', route, count(*)
            FROM unit_days
            WHERE day BETWEEN CAST(:prior_from AS date) AND CAST(:last_day AS date)
              AND route IN (SELECT id FROM reported WHERE kind = 'route')
              AND (SELECT count(DISTINCT version) FROM reported WHERE kind = 'route') > 50
            GROUP BY route
        ) AS used ON used.kind = reported.kind AND used.id = reported.id
        GROUP BY reported.kind, reported.version
    ) AS counted
) AS ranked
