-- Accepted events of the marked sessions.
-- Grain: one row a stored event (the key of `events` makes them free of duplicates).
-- Index: session_key in the partitions within 7 days of a mark (no session key spans more); the primary key
-- for rows
--        without a session (num_nulls, lest the index on session_key be read for all of those there are).
-- Reads: the stage wanted.
--
-- lane: `write` if a destination is set (the name `unknown` is none), else `cache` if there is a cache other
-- than
--       `streaming`, else `direct`. Syncs without a session key are of the shape sent up to 0.7.1: usage
-- only, so
--       their lane is `direct` too, and only their starts count, since nothing pairs them.
-- What happened over 90 days (imported: 400) before it arrived, or over 2 days after, is never rolled up: no
-- retention would reach it. A sync into a cache always has a source: if none was named it ranks as `unknown`,
-- as it does in the ledger.
SELECT
    bucket,
    message_key,
    anonymous_id AS unit,
    session_key,
    event,
    CASE WHEN lane = 'cache' THEN coalesce(source_name, 'unknown') ELSE source_name END AS source_name,
    source_version,
    CASE WHEN lane = 'write' THEN destination_name END AS destination_name,
    destination_version,
    CAST(cache_type AS text) AS cache_type,
    lane,
    state,
    coalesce(corrected_at, occurred_at) AS happened_at,
    occurred_at,
    received_at,
    setup,
    corrected_at IS NOT NULL AS corrected,
    first_run,
    crowded,
    write_key,
    coalesce(ci, false) AS ci,
    version,
    python_version,
    os,
    CAST(notebook_runtime AS text) AS notebook_runtime,
    CAST(source_executor_type AS text) AS source_executor_type,
    CAST(destination_executor_type AS text) AS destination_executor_type,
    application_hash,
    number_of_records,
    exception_class,
    false AS refused
FROM (
    SELECT
        marked.*,
        CASE
            WHEN session_key IS NULL THEN 'direct'
            WHEN destination_name <> 'unknown' THEN 'write'
            WHEN cache_type <> 'streaming' THEN 'cache'
            ELSE 'direct'
        END AS lane
    FROM (
        SELECT e.*
        FROM wanted AS m
        JOIN events AS e
          ON e.session_key = m.session_key AND e.bucket = m.bucket
         AND e.occurred_at >= m.lower - interval '7 days' AND e.occurred_at <= m.upper + interval '7 days'
         /* within e */
        UNION ALL
        SELECT e.*
        FROM wanted AS m
        JOIN events AS e
          ON e.occurred_at = m.lower /* within e */
             AND e.bucket = m.bucket AND e.message_key = m.message_key
        WHERE m.session_key IS NULL AND num_nulls(e.session_key) = 1
    ) AS marked
    WHERE (session_key IS NOT NULL OR (event = 'sync' AND state = 'started'))
      AND coalesce(corrected_at, occurred_at) <= received_at + interval '2 days'
          AND coalesce(corrected_at, occurred_at)
            >= received_at - CASE WHEN imported THEN interval '400 days' ELSE interval '90 days' END
) AS placed
