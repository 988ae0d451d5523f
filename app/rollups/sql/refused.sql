-- Refused events of the marked sessions: the ledger's rows, read as the events they were, so that a refusal
-- biases no rate. Grain: one row a refused event; one that was accepted under the same key later (an import
-- run again after an upgrade)
--        is left out, and so is one of which nobody can tell what event it was.
-- Index: as accepted.sql; the key of `events` (occurred_at, bucket, message_key) for the rows left out.
-- Reads: the stage wanted.
--
-- A ledger row is the projection of its event with the refused fields NULL. What was refused is told from
-- `path` (the first thing found wrong) and from what stands beside it; what an event without a fault also
-- lacks is absent:
--   destination, source, cache   refused if the path says so, or a version, executor or config hash is left
-- of it (configured: 1 source, 2 destination, 4 cache)
--   source    also in lane `cache`, where there is always one
--   event     `sync` in the lanes `write` and `cache`, which other events never have, or with a number of
-- records or
--             an executor, or if started or canceled: install, validate and check send terminals and names
-- only
--   state     failed with an exception, succeeded with a number of records or if no sync (they send terminals
-- only),
--             else started (a canceled sync looks the same, but those come from the lane `direct`, which is
-- in no rate)
--   session   none, and no trace of 0.7.2 or later: the shape sent up to 0.7.1, usage only
-- A refused name ranks as `unknown`: whatever is spoiled, the sum of failures over the connectors stays.
SELECT
    bucket,
    message_key,
    unit,
    session_key,
    CAST(coalesce(event, 'sync') AS event_name) AS event,
    CASE WHEN lane = 'cache' OR source_refused THEN coalesce(source_name, 'unknown')
        ELSE source_name END AS source_name,
    source_version,
    CASE WHEN lane = 'write' THEN coalesce(destination_name, 'unknown') END AS destination_name,
    destination_version,
    cache_type,
    lane,
    CAST(state AS event_state) AS state,
    happened_at,
    occurred_at,
    received_at,
    setup,
    corrected,
    first_run,
    crowded,
    write_key,
    ci,
    version,
    python_version,
    os,
    notebook_runtime,
    source_executor_type,
    destination_executor_type,
    application_hash,
    number_of_records,
    exception_class,
    true AS refused
FROM (
    SELECT
        judged.*,
        CASE
            WHEN oldest THEN 'direct'
            WHEN destination_refused OR destination_name <> 'unknown' THEN 'write'
            WHEN cache_refused OR cache_type <> 'streaming' THEN 'cache'
            ELSE 'direct'
        END AS lane
    FROM (
        SELECT
            bucket,
            message_key,
            anonymous_id AS unit,
            session_key,
            source_name,
            source_version,
            destination_name,
            destination_version,
            CAST(cache_type AS text) AS cache_type,
            CAST(event AS text) AS event,
            coalesce(CAST(state AS text), CASE
                WHEN exception_class IS NOT NULL OR exit_code IS NOT NULL OR connector_name IS NOT NULL
                    THEN 'failed'
                WHEN number_of_records IS NOT NULL OR event <> 'sync' THEN 'succeeded'
                ELSE 'started'
            END) AS state,
            state IS NOT NULL AND state IN ('started', 'canceled') AS only_of_sync,
            CAST(source_executor_type AS text) AS source_executor_type,
            CAST(destination_executor_type AS text) AS destination_executor_type,
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
            application_hash,
            number_of_records,
            exception_class,
            source_name IS NULL AND (
                path IN ('properties.source', 'properties.source.name')
                OR source_executor_type IS NOT NULL OR source_version IS NOT NULL OR configured & 1 > 0
            ) AS source_refused,
            destination_name IS NULL AND (
                path IN ('properties.destination', 'properties.destination.name')
                OR destination_executor_type IS NOT NULL OR destination_version IS NOT NULL
                OR configured & 2 > 0
            ) AS destination_refused,
            cache_type IS NULL AND (
                path IN ('properties.cache', 'properties.cache.type') OR configured & 4 > 0
            ) AS cache_refused,
            session_key IS NULL AND application_hash IS NULL AND python_version IS NULL AND os IS NULL
                AND coalesce(version ~ '^0\.([0-6]\.|7\.[01]([^0-9]|$))', true) AS oldest
        FROM (
            SELECT e.*
            FROM wanted AS m
            JOIN rejections AS e
              ON e.session_key = m.session_key AND e.bucket = m.bucket
             AND e.occurred_at >= m.lower - interval '7 days' AND e.occurred_at <= m.upper + interval '7 days'
             /* within e */
            UNION ALL
            SELECT e.*
            FROM wanted AS m
            JOIN rejections AS e
              ON e.occurred_at = m.lower /* within e */
                 AND e.bucket = m.bucket AND e.message_key = m.message_key
            WHERE m.session_key IS NULL AND num_nulls(e.session_key) = 1
        ) AS timely
        WHERE coalesce(timely.corrected_at, timely.occurred_at) <= timely.received_at + interval '2 days'
          AND coalesce(timely.corrected_at, timely.occurred_at)
            >= timely.received_at - CASE WHEN timely.imported THEN interval '400 days'
                ELSE interval '90 days' END
          AND NOT EXISTS (
            SELECT 1 FROM events
            WHERE events.occurred_at = timely.occurred_at /* within events */
              AND events.bucket = timely.bucket
              AND events.message_key = timely.message_key
        )
    ) AS judged
) AS placed
WHERE CASE
        WHEN event IS NOT NULL THEN true
        ELSE lane <> 'direct' OR only_of_sync OR number_of_records IS NOT NULL
            OR source_executor_type IS NOT NULL OR destination_executor_type IS NOT NULL
    END
  AND (NOT oldest OR state = 'started')
