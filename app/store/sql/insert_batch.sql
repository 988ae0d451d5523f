-- One write batch in one statement, so in one transaction and one round trip.
-- Grain: a batch of events, refused ones (with a reason) among them (%(events)s: lines, each a row of
-- `rejections` as text), of tallies (%(tallies)s), and of withheld fields (%(withheld)s: key and path;
-- counted of events that are new). Index: the primary keys, for ON CONFLICT and for tombstones. Rows come
-- sorted by key, so that two writers cannot deadlock; nothing here may change their order.
--
-- `disposition` is why an event is counted and not stored: 'forgotten' (a tombstone covers its id) or
-- 'expired' (it lies in a dropped range or within 7 days of one, so its original may be gone). A clean batch
-- pays one look at each of two small tables for it, and one comparison and one hash look-up a row. `marked`
-- asks for the sessions that this changes to be rolled up: a row a session, never an upsert, which would wait
-- for the worker. An event without a session stands for itself; a refused one of which no report would use
-- anything (`telling`, as refused.sql reads the ledger) asks for nothing. `timely`: what happened over 90
-- days (imported: 400) before it arrived, or over 2 days after, is stored, counted, and never rolled up.
-- `met` keeps the tombstones that are still needed, about once a day each, and never waits for another
-- writer. The rows of outcome 'received' fence the batch: a second commit under the same batch id violates
-- their key. Where several batches are committed as one, all is counted under the first one's id, and the
-- others' keys are there with a count of 0 (%(fences)s). No other step can violate a key, so the SQLSTATE
-- says it, which RETURNING brings back from a distributed table as it was. Returns the message keys of the
-- events that were new, as one value of 8 bytes each: a row and an object for every key cost more than the
-- key; and key, time and disposition of those that have one.
WITH incoming AS MATERIALIZED (
    SELECT
        {columns}, configured, reason, path,
        CASE
            WHEN EXISTS (
                SELECT 1 FROM tombstones AS t WHERE t.bucket = r.bucket AND t.anonymous_id = r.anonymous_id
            ) THEN 'forgotten'
            -- A live event never expires: no week that it can lie in is dropped, unless by a clock that was
            -- wrong.
            WHEN occurred_at < received_at - interval '7 days'
                AND occurred_at < (SELECT coalesce(max(upper) + interval '7 days', '-infinity')
                FROM dropped_ranges)
            THEN (
                SELECT 'expired' FROM dropped_ranges AS d
                WHERE r.occurred_at >= d.lower - interval '7 days'
                    AND r.occurred_at < d.upper + interval '7 days'
                LIMIT 1
            )
        END AS disposition
    FROM unnest(string_to_array(%(events)s::text, E'\n')::rejections[]) AS r
),
fresh AS (
    INSERT INTO events ({columns})
    SELECT {columns} FROM incoming WHERE disposition IS NULL AND reason IS NULL
    ON CONFLICT DO NOTHING
    RETURNING
        message_key, received_at, write_key, occurred_at, bucket, session_key,
        coalesce(corrected_at, occurred_at) <= received_at + interval '2 days'
          AND coalesce(corrected_at, occurred_at)
            >= received_at - CASE WHEN imported THEN interval '400 days' ELSE interval '90 days' END AS timely
),
ledger AS (
    INSERT INTO rejections ({columns}, configured, reason, path)
    SELECT {columns}, configured, reason, path FROM incoming WHERE disposition IS NULL AND reason IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING
        message_key, received_at, occurred_at, bucket, session_key,
        coalesce(corrected_at, occurred_at) <= received_at + interval '2 days'
          AND coalesce(corrected_at, occurred_at)
            >= received_at - CASE WHEN imported THEN interval '400 days'
                ELSE interval '90 days' END AS timely,
        num_nonnulls(
            event, state, number_of_records, source_name, source_version, source_executor_type,
                destination_name,
            destination_version, destination_executor_type, cache_type
        ) > 0 OR configured > 0 OR path ~ '^properties[.](source|destination|cache)' AS telling
),
marked AS (
    INSERT INTO dirty_sessions (received_at, occurred_at, bucket, session_key, message_key)
    SELECT min(received_at), min(occurred_at), bucket, session_key, alone
    FROM (
        SELECT
            received_at, occurred_at, bucket, session_key,
            CASE WHEN session_key IS NULL THEN message_key END AS alone
        FROM fresh
        WHERE timely
        UNION ALL
        SELECT
            received_at, occurred_at, bucket, session_key, CASE WHEN session_key IS NULL THEN message_key END
        FROM ledger
        WHERE timely AND (session_key IS NOT NULL OR telling)
    ) AS changed
    GROUP BY bucket, session_key, alone
    RETURNING bucket
),
submitted AS (
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, write_key, disposition, reason, count(*) AS count
    FROM incoming GROUP BY 1, 2, 3, 4
),
accepted AS (
    SELECT date_trunc('hour', received_at, 'UTC') AS hour, write_key, count(*) AS count FROM fresh
        GROUP BY 1, 2
),
counted AS (
    INSERT INTO outcomes (hour, batch_id, count, bucket, write_key, outcome, reason)
    SELECT hour, %(batch_id)s::uuid, sum(count), %(bucket)s::smallint, write_key, outcome, reason
    FROM (
        SELECT hour, write_key, 'received' AS outcome, '' AS reason, count FROM submitted
        UNION ALL
        SELECT hour, write_key, 'accepted', '', count FROM accepted
        UNION ALL
        SELECT s.hour, s.write_key, 'duplicate', '', s.count - coalesce(a.count, 0)
        FROM submitted AS s LEFT JOIN accepted AS a ON a.hour = s.hour AND a.write_key = s.write_key
        WHERE s.disposition IS NULL AND s.reason IS NULL AND s.count > coalesce(a.count, 0)
        UNION ALL
        SELECT hour, write_key, coalesce(disposition, 'rejected'), CASE WHEN disposition IS NULL THEN reason
            ELSE '' END, count
        FROM submitted WHERE disposition IS NOT NULL OR reason IS NOT NULL
    ) AS counts
    GROUP BY hour, write_key, outcome, reason
    UNION ALL
    SELECT hour, batch_id, 0, bucket, write_key, 'received', ''
    FROM json_to_recordset(%(fences)s::json) AS f (hour timestamptz, batch_id uuid, bucket smallint,
        write_key smallint)
    RETURNING bucket
),
met AS (
    UPDATE tombstones AS t SET met_at = now()
    WHERE (t.bucket, t.anonymous_id) IN (
        SELECT s.bucket, s.anonymous_id
        FROM tombstones AS s
        WHERE (s.bucket, s.anonymous_id) IN (SELECT bucket, anonymous_id FROM incoming
            WHERE disposition = 'forgotten')
          AND coalesce(s.met_at, '-infinity') < now() - interval '1 day'
        FOR UPDATE SKIP LOCKED
    )
    RETURNING t.bucket
),
tallied AS (
    INSERT INTO tallies (hour, batch_id, count, bucket, write_key, kind, reason)
    SELECT hour, batch_id, count, bucket, write_key, kind, reason
    FROM json_to_recordset(%(tallies)s::json) AS t (
        hour timestamptz, batch_id uuid, count bigint, bucket smallint, write_key smallint, kind text,
            reason text
    )
    UNION ALL
    SELECT
        date_trunc('hour', received_at, 'UTC'), %(batch_id)s::uuid, count(*), %(bucket)s::smallint, write_key,
        'outside_window', ''
    FROM fresh WHERE NOT timely GROUP BY 1, write_key
    UNION ALL
    SELECT
        date_trunc('hour', fresh.received_at, 'UTC'), %(batch_id)s::uuid, count(*), %(bucket)s::smallint,
            fresh.write_key,
        'withheld', each ->> 1
    FROM json_array_elements(%(withheld)s::json) AS each
    JOIN fresh ON fresh.message_key = CAST(each ->> 0 AS bigint)
    GROUP BY 1, fresh.write_key, each ->> 1
    RETURNING bucket
)
SELECT string_agg(int8send(message_key), '') AS message_keys, NULL::timestamptz AS occurred_at,
    NULL AS disposition
    FROM fresh
UNION ALL
SELECT int8send(message_key), occurred_at, disposition FROM incoming WHERE disposition IS NOT NULL
