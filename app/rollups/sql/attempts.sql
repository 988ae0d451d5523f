-- Attempts of the marked sessions: the definition of an attempt.
-- Grain: one row an attempt. Pair = (unit, session key, event, source name, destination name, lane); `bucket`
-- follows from
--        the unit or session and keeps a pair on one shard. In the order of (corrected time, message key) the
-- k-th
--        terminal of a pair closes its k-th start. So a pair has max(starts, terminals) attempts: a start
-- left over is
--        open, a terminal left over an orphan.
-- Index: the keys of routes, environments and failures, which are hashed whole when there are many signals.
-- Reads: the stage signalled. One sort, in which a pair's starts stand before its terminals: the
--        terminal of a start is found as many rows further on as the pair has starts.
--
-- happened_at, route, environment and application are those of the start; an orphan's are its own.
-- lasted: from start to end in ms, by the sender's own clock, which is one in a pair: a correction, of whole
-- hours, may differ between the two. outcome: the state of the terminal, `started` of an open attempt.
-- settles_at: it is in flight until 24 h after the latest time of its pair, then abandoned. install, validate
-- and check send terminals only: none of them is an orphan. Words without a number yet, or whose use was not
-- noted today, stand as route 0, environment 0, failure -1.
SELECT
    bucket,
    session_key,
    unit,
    application_hash,
    route,
    environment,
    failure,
    happened_at,
    corrected,
    first_run,
    outcome,
    CASE WHEN outcome = 'succeeded' THEN number_of_records END AS number_of_records,
    CASE WHEN outcome = 'succeeded'
        THEN CAST(floor(1000 * extract(epoch FROM ended_at - occurred_at)) AS bigint) END AS lasted,
    event = 'sync' AND NOT is_start AS orphan,
    refused,
    latest + interval '24 hours' AS settles_at
FROM (
    SELECT
        bucket, session_key, unit, application_hash, route, environment, happened_at, corrected, first_run,
            event,
        occurred_at, is_start, place, starts, latest,
        CASE WHEN is_start THEN coalesce(lead(state, starts) OVER pair, 'started') ELSE state END AS outcome,
        CASE WHEN is_start THEN lead(failure, starts) OVER pair ELSE failure END AS failure,
        CASE WHEN is_start THEN lead(number_of_records, starts) OVER pair
            ELSE number_of_records END AS number_of_records,
        CASE WHEN is_start THEN lead(occurred_at, starts) OVER pair END AS ended_at,
        refused OR (is_start AND coalesce(lead(refused, starts) OVER pair, false)) AS refused
    FROM (
        SELECT
            numbered.*,
            row_number() OVER whole_pair AS place,
            CAST(count(*) FILTER (WHERE is_start) OVER whole_pair AS integer) AS starts,
            max(happened_at) OVER whole_pair AS latest
        FROM (
            SELECT
                s.bucket, s.session_key, s.message_key, s.unit, s.application_hash, s.happened_at,
                    s.occurred_at, s.number_of_records,
                s.event, s.state, s.corrected, s.first_run, s.refused, s.lane, s.source_name,
                    s.destination_name,
                s.state = 'started' AS is_start, coalesce(r.id, 0) AS route,
                coalesce(e.id, 0) AS environment,
                CASE WHEN s.exception_class IS NOT NULL THEN coalesce(f.id,
                    CAST(-1 AS smallint)) END AS failure
            FROM signalled AS s
            LEFT JOIN routes AS r
              ON (r.source_name, r.destination_name, r.lane, r.event, r.source_version, r.destination_version,
                  r.cache_type)
               = (s.source_name, s.destination_name, s.lane, CAST(s.event AS text), s.source_version,
                  s.destination_version, s.cache_type)
             AND r.last_day >= CAST(now() AT TIME ZONE 'UTC' AS date)
            LEFT JOIN environments AS e
              ON (e.version, e.python_version, e.os, e.ci, e.notebook_runtime, e.source_executor_type,
                  e.destination_executor_type)
               = (s.version, s.python_version, s.os, s.ci, s.notebook_runtime, s.source_executor_type,
                  s.destination_executor_type)
             AND e.last_day >= CAST(now() AT TIME ZONE 'UTC' AS date)
            LEFT JOIN failures AS f ON f.exception_class = s.exception_class
        ) AS numbered
        WINDOW whole_pair AS (
            PARTITION BY session_key, bucket, unit, event, source_name, destination_name, lane
            ORDER BY is_start DESC, happened_at, message_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
    ) AS ordered
    WINDOW pair AS (
        PARTITION BY session_key, bucket, unit, event, source_name, destination_name, lane
        ORDER BY is_start DESC, happened_at, message_key
    )
) AS matched
WHERE is_start OR place > 2 * starts
