-- Accepted sync events, as the report's window needs them.
-- Grain: one row an accepted event `sync` (the key of `events` makes them free of duplicates).
-- Index: partition pruning by occurred_at and a scan of the partitions that are left; the second arm, for clocks
--        that were off, wants a partial index on corrected_at.
-- Parameters: read_from, read_until (the window and 7 days on either side, more than a session key ever spans, so
--        that every pair that touches the window is read whole).
--
-- lane: `write` if a destination is set (the name `unknown` is none), else `cache` if there is a cache other than
--       `streaming`, else `direct`. Events without a session key are of the shape sent up to 0.7.1: usage only, so
--       their lane is `direct` too, and only their starts count, since nothing pairs them.
-- A sync into a cache always has a source: if none was named it ranks as `unknown`, as it does in the ledger.
SELECT
    bucket,
    message_key,
    anonymous_id AS unit,
    session_key,
    CASE WHEN lane = 'cache' THEN coalesce(source_name, 'unknown') ELSE source_name END AS source_name,
    CASE WHEN lane = 'write' THEN destination_name END AS destination_name,
    lane,
    CAST(state AS text) AS state,
    coalesce(corrected_at, occurred_at) AS happened_at,
    coalesce(ci, false) AS ci,
    version,
    application_hash,
    number_of_records,
    exception_class,
    false AS refused
FROM (
    SELECT
        timely.*,
        CASE
            WHEN session_key IS NULL THEN 'direct'
            WHEN destination_name <> 'unknown' THEN 'write'
            WHEN cache_type <> 'streaming' THEN 'cache'
            ELSE 'direct'
        END AS lane
    FROM (
        SELECT * FROM events
        WHERE occurred_at >= :read_from AND occurred_at < :read_until
        UNION ALL
        SELECT * FROM events
        WHERE corrected_at >= :read_from AND corrected_at < :read_until
          AND (occurred_at < :read_from OR occurred_at >= :read_until)
    ) AS timely
    WHERE event = 'sync' AND (session_key IS NOT NULL OR state = 'started')
) AS placed
