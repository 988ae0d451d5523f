-- Why events of a part for one node (%(events)s: lines as in insert_batch.sql) are counted and not stored, as
-- `disposition` there. Reads reference tables only, which the coordinator has. Grain: an event that has one.
SELECT int8send(message_key) AS message_key, occurred_at, disposition
FROM (
    SELECT
        message_key, occurred_at,
        CASE
            WHEN EXISTS (
                SELECT 1 FROM tombstones AS t WHERE t.bucket = r.bucket AND t.anonymous_id = r.anonymous_id
            ) THEN 'forgotten'
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
) AS incoming
WHERE disposition IS NOT NULL
