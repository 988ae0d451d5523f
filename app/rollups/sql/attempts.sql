-- Attempts of the marked sessions: the definition of an attempt.
-- Grain: one row an attempt. Pair = (unit, session key, event, source name, destination name, lane); `bucket` follows from
--        the unit or session and keeps a pair on one shard. In the order of (corrected time, message key) the k-th
--        terminal of a pair closes its k-th start. So a pair has max(starts, terminals) attempts: a start left over is
--        open, a terminal left over an orphan.
-- Reads: the stages accepted and refused. One sort, in which a pair's starts stand before its terminals: the terminal
--        of a start is found as many rows further on as the pair has starts.
--
-- A row without a session key (refused for it) meets no partner: it might meet a stranger's.
-- happened_at and the dimensions (versions, environment, application, cache) are those of the start; an orphan's are its own.
-- outcome: open, succeeded, failed, canceled. settles_at: an open attempt is in flight until 24 h after the latest
-- time of its pair, then abandoned. install, validate and check send terminals only: none of them is an orphan.
SELECT
    bucket,
    coalesce(session_key, message_key) AS session_key,
    unit,
    event,
    lane,
    source_name,
    source_version,
    destination_name,
    destination_version,
    cache_type,
    happened_at,
    corrected,
    first_run,
    ci,
    version,
    python_version,
    os,
    notebook_runtime,
    source_executor_type,
    destination_executor_type,
    application_hash,
    outcome,
    CASE WHEN outcome = 'failed' THEN coalesce(exception_class, '') END AS exception_class,
    CASE WHEN outcome = 'succeeded' THEN number_of_records END AS number_of_records,
    event = 'sync' AND NOT is_start AS orphan,
    refused,
    latest + interval '24 hours' AS settles_at
FROM (
    SELECT
        ordered.*,
        CASE WHEN is_start THEN coalesce(lead(state, starts) OVER pair, 'open') ELSE state END AS outcome,
        CASE WHEN is_start THEN lead(closing_class, starts) OVER pair ELSE closing_class END AS exception_class,
        CASE WHEN is_start THEN lead(closing_records, starts) OVER pair ELSE closing_records END AS number_of_records,
        closing_refused OR (is_start AND coalesce(lead(closing_refused, starts) OVER pair, false)) AS refused
    FROM (
        SELECT
            signals.*,
            row_number() OVER pair AS place,
            CAST(count(*) FILTER (WHERE is_start) OVER whole_pair AS integer) AS starts,
            max(happened_at) OVER whole_pair AS latest
        FROM (
            SELECT
                bucket, message_key, unit, session_key, event, lane, state, happened_at, corrected, first_run,
                source_name, source_version, destination_name, destination_version, cache_type, ci, version,
                python_version, os, notebook_runtime, source_executor_type, destination_executor_type,
                application_hash,
                exception_class AS closing_class,
                number_of_records AS closing_records,
                refused AS closing_refused,
                state = 'started' AS is_start,
                CASE WHEN session_key IS NULL THEN message_key END AS alone
            FROM (SELECT * FROM accepted UNION ALL SELECT * FROM refused) AS both_tables
        ) AS signals
        WINDOW
            whole_pair AS (PARTITION BY session_key, alone, bucket, unit, event, source_name, destination_name, lane),
            pair AS (whole_pair ORDER BY is_start DESC, happened_at, message_key)
    ) AS ordered
    WINDOW pair AS (
        PARTITION BY session_key, alone, bucket, unit, event, source_name, destination_name, lane
        ORDER BY is_start DESC, happened_at, message_key
    )
) AS matched
WHERE is_start OR place > 2 * starts
