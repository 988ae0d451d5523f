-- Whether users got over a failure, by the connector that ranks.
-- Grain: one row a connector. Index: attempts_day_idx; the primary key of unit_days; unit_days_route_idx.
-- Reads: the stages routes_asked and environments_asked.
-- Parameters: first_day, last_day, as_of, everybody, settled, keys, denied, nobody.
--
-- kind & 3: the outcome, 1 succeeded, 2 failed.
-- A failure: a session with a failed attempt of another class than config, that began in the window. Its time
-- is the latest of its pair, which is the end's. recovered: a session of the same user with a success of the
-- same connector followed within 24 hours. lost: the user's last session with the connector that was ever
-- stored failed, and is over 7 days old. A user counts once a connector: recovered if one failure was
-- followed so, however many were not.
SELECT
    connector,
    count(*) AS failed_units,
    count(*) FILTER (WHERE recovered) AS recovered_units,
    count(*) FILTER (WHERE last_failed >= last_seen AND last_seen < :as_of - interval '7 days') AS lost_units
FROM (
    SELECT
        connector, unit,
        bool_or(next_success <= failed_at + interval '24 hours') AS recovered,
        max(failed_at) AS last_failed,
        max(seen_at) AS last_seen,
        bool_or(failed_at IS NOT NULL) AS met
    FROM (
        SELECT
            connector, unit, seen_at, failed_at,
            min(succeeded_at) OVER (
                PARTITION BY connector, unit ORDER BY seen_at RANGE BETWEEN '1 microsecond' FOLLOWING
                    AND UNBOUNDED FOLLOWING
            ) AS next_success
        FROM (
            SELECT
                routes_asked.connector, d.unit,
                a.settles_at - interval '24 hours' AS seen_at,
                CASE WHEN a.kind & 3 = 1 THEN a.settles_at - interval '24 hours' END AS succeeded_at,
                CASE WHEN a.kind & 3 = 2 AND failures.failure_class <> 'config'
                    AND a.day <= CAST(:last_day AS date)
                     THEN a.settles_at - interval '24 hours' END AS failed_at
            FROM attempts AS a
            JOIN unit_days AS d ON d.day = a.day AND d.bucket = a.bucket AND d.day_key = a.day_key
            JOIN routes_asked ON routes_asked.id = d.route
            JOIN environments_asked ON environments_asked.id = d.environment
            LEFT JOIN failures ON failures.id = d.failure
            WHERE d.day >= CAST(:first_day AS date)
              AND d.unit <> CAST(:nobody AS bigint)
              AND (CAST(:everybody AS boolean) OR (d.bucket, d.unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
              AND d.unit <> ALL(CAST(:denied AS bigint[]))
        ) AS sessions
    ) AS followed
    GROUP BY connector, unit
) AS users
WHERE met
GROUP BY connector
