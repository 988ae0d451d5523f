-- Everything that the filters leave: the daily sums of the window and of the one before, and what of them is
-- in flight. Grain: that of `unit_days`; beside it rows of `attempts` that count in `in_flight` only. Index:
-- the primary key of unit_days, by day; unit_days_route_idx for one connector; attempts_settles_at_idx.
-- Reads: the stages routes_asked and environments_asked. Parameters: prior_from, first_day, last_day (dates;
-- the window is first_day to last_day, the one before it begins at
--             prior_from), as_of (an instant: what has not settled by then is in flight), denied (units to
-- leave out),
--             everybody (else only those of `units` that the next two leave), settled (seven days or more
-- between first and last
--             arrival, only), keys (bits of the write keys of which one must be the user's).
--
-- attempts = succeeded + failed + canceled + open. abandoned = open - in_flight. A row of a failure counts
-- failed only. What `unit_days` seldom counts is NULL there.
SELECT
    day >= CAST(:first_day AS date) AS is_current,
    routes_asked.number,
    day, bucket, unit, route, environment, failure, application_hash,
    coalesce(records, 0) AS records,
    coalesce(succeeded, 0) AS succeeded, coalesce(failed, 0) AS failed, coalesce(canceled, 0) AS canceled,
    coalesce(open, 0) AS open, 0 AS in_flight,
    coalesce(orphans, 0) AS orphans, coalesce(from_ledger, 0) AS from_ledger, coalesce(first_runs,
        0) AS first_runs,
    coalesce(corrected, 0) AS corrected,
    coalesce(timed, succeeded, 0) AS timed, coalesce(durations, 0) AS durations
FROM unit_days
JOIN routes_asked ON routes_asked.id = unit_days.route
JOIN environments_asked ON environments_asked.id = unit_days.environment
WHERE day BETWEEN CAST(:prior_from AS date) AND CAST(:last_day AS date)
  AND (CAST(:everybody AS boolean) OR (bucket, unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND unit <> ALL(CAST(:denied AS bigint[]))
UNION ALL
SELECT
    d.day >= CAST(:first_day AS date),
    routes_asked.number,
    d.day, d.bucket, d.unit, d.route, d.environment, d.failure, d.application_hash,
    0, 0, 0, 0, 0, coalesce(a.times, 1), 0, 0, 0, 0, 0, 0
FROM attempts AS a
JOIN unit_days AS d ON d.day = a.day AND d.bucket = a.bucket AND d.day_key = a.day_key
JOIN routes_asked ON routes_asked.id = d.route
JOIN environments_asked ON environments_asked.id = d.environment
WHERE a.kind & 3 = 0
  AND a.settles_at > :as_of
  AND a.day BETWEEN CAST(:prior_from AS date) AND CAST(:last_day AS date)
  AND (CAST(:everybody AS boolean) OR (d.bucket, d.unit) IN (
        SELECT bucket, unit FROM units WHERE settled >= CAST(:settled AS boolean)
            AND write_keys & CAST(:keys AS bigint) > 0
  ))
  AND d.unit <> ALL(CAST(:denied AS bigint[]))
