-- Users whose first days with a connector lie in the window, by the connector that ranks, and whether they
-- got anywhere. Grain: one row a connector. Index: the primary key of unit_days, by day. Reads: the stages
-- routes_asked and environments_asked. Parameters: history_from, prior_from, first_day, last_day, everybody,
-- settled, keys, denied, nobody.
--
-- new: nothing of the user with the connector lies in the 180 days before. Only who began 7 days or more
-- before the window's end is counted: the first 7 days are over. stuck: no success of a sync in them. Of
-- these, stuck_on_config: every failure in them was of class config.
SELECT
    connector,
    count(*) AS new_units,
    count(*) FILTER (WHERE succeeded = 0) AS stuck_units,
    count(*) FILTER (WHERE succeeded = 0 AND failed > 0 AND ranked = 0) AS stuck_on_config
FROM (
    SELECT
        connector, unit, first_day,
        sum(succeeded) FILTER (WHERE day < first_day + 7) AS succeeded,
        sum(failed) FILTER (WHERE day < first_day + 7) AS failed,
        sum(ranked) FILTER (WHERE day < first_day + 7) AS ranked
    FROM (
        SELECT
            routes_asked.connector, unit_days.unit, unit_days.day,
            coalesce(unit_days.succeeded, 0) AS succeeded, coalesce(unit_days.failed, 0) AS failed,
            CASE WHEN failures.failure_class = 'config' THEN 0
                ELSE coalesce(unit_days.failed, 0) END AS ranked,
            min(unit_days.day) OVER (PARTITION BY routes_asked.connector, unit_days.bucket,
                unit_days.unit) AS first_day
        FROM unit_days
        JOIN routes_asked ON routes_asked.id = unit_days.route
        JOIN environments_asked ON environments_asked.id = unit_days.environment
        LEFT JOIN failures ON failures.id = unit_days.failure
        WHERE unit_days.day BETWEEN least(CAST(:history_from AS date), CAST(:prior_from AS date))
            AND CAST(:last_day AS date)
          AND unit_days.unit <> CAST(:nobody AS bigint)
          AND (CAST(:everybody AS boolean) OR (unit_days.bucket, unit_days.unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
          AND unit_days.unit <> ALL(CAST(:denied AS bigint[]))
    ) AS days
    GROUP BY connector, unit, first_day
) AS users
WHERE first_day BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date) - 6
GROUP BY connector
