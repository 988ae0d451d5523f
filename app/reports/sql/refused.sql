-- Refused sync events: the ledger's rows, read as the events they were, so that a refusal biases no rate.
-- Grain: one row a refused event `sync`; one that was accepted under the same key later (an import run again after
--        an upgrade) is left out.
-- Index: as accepted.sql; the key of `events` (occurred_at, bucket, message_key) for the rows left out.
-- Parameters: read_from, read_until, as accepted.sql.
--
-- A ledger row is the projection of its event with the refused fields NULL. What was refused is told from `path`
-- (the first thing found wrong) and from what stands beside it; what an event without a fault also lacks is absent:
--   destination, source, cache   refused if the path says so, or a version, executor or config hash is left of it
--   source    also in lane `cache`, where there is always one
--   event     `sync` in the lanes `write` and `cache`, which other events never have, or with a number of records or
--             an executor, or if started or canceled: install, validate and check send terminals and names only
--   state     failed with an exception, succeeded with a number of records, else started (a canceled sync looks the
--             same, but those come from the lane `direct`, which is in no rate)
--   session   none, and no trace of 0.7.2 or later: the shape sent up to 0.7.1, usage only
-- A refused name ranks as `unknown`: whatever is spoiled, the sum of failures over the connectors stays.
SELECT
    bucket,
    message_key,
    unit,
    session_key,
    CASE WHEN lane = 'cache' OR source_refused THEN coalesce(source_name, 'unknown') ELSE source_name END AS source_name,
    CASE WHEN lane = 'write' THEN coalesce(destination_name, 'unknown') END AS destination_name,
    lane,
    state,
    happened_at,
    ci,
    version,
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
            destination_name,
            cache_type,
            event,
            coalesce(CAST(state AS text), CASE
                WHEN exception_class IS NOT NULL OR exit_code IS NOT NULL OR connector_name IS NOT NULL THEN 'failed'
                WHEN number_of_records IS NOT NULL THEN 'succeeded'
                ELSE 'started'
            END) AS state,
            state IS NOT NULL AND state IN ('started', 'canceled') AS only_of_sync,
            source_executor_type,
            destination_executor_type,
            coalesce(corrected_at, occurred_at) AS happened_at,
            coalesce(ci, false) AS ci,
            version,
            application_hash,
            number_of_records,
            exception_class,
            source_name IS NULL AND (
                path IN ('properties.source', 'properties.source.name')
                OR source_executor_type IS NOT NULL OR source_version IS NOT NULL OR source_config_hash IS NOT NULL
            ) AS source_refused,
            destination_name IS NULL AND (
                path IN ('properties.destination', 'properties.destination.name')
                OR destination_executor_type IS NOT NULL OR destination_version IS NOT NULL
                OR destination_config_hash IS NOT NULL
            ) AS destination_refused,
            cache_type IS NULL AND (
                path IN ('properties.cache', 'properties.cache.type') OR cache_config_hash IS NOT NULL
            ) AS cache_refused,
            session_key IS NULL AND application_hash IS NULL AND python_version IS NULL AND os IS NULL
                AND coalesce(version ~ '^0\.([0-6]\.|7\.[01]([^0-9]|$))', true) AS oldest
        FROM (
            SELECT * FROM rejections
            WHERE occurred_at >= :read_from AND occurred_at < :read_until
            UNION ALL
            SELECT * FROM rejections
            WHERE corrected_at >= :read_from AND corrected_at < :read_until
              AND (occurred_at < :read_from OR occurred_at >= :read_until)
        ) AS timely
        WHERE NOT EXISTS (
            SELECT FROM events
            WHERE events.occurred_at = timely.occurred_at
              AND events.bucket = timely.bucket
              AND events.message_key = timely.message_key
        )
    ) AS judged
) AS placed
WHERE CASE
        WHEN event IS NOT NULL THEN event = 'sync'
        ELSE lane <> 'direct' OR only_of_sync OR number_of_records IS NOT NULL
            OR source_executor_type IS NOT NULL OR destination_executor_type IS NOT NULL
    END
  AND (NOT oldest OR state = 'started')
