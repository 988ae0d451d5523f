-- The events of a part for one node; returns those that were new, `timely` as in insert_batch.sql. Grain: an
-- event. Index: the primary key. The rows come sorted by it, so that two writers cannot deadlock.
INSERT INTO events ({columns})
SELECT {columns} FROM unnest(string_to_array(%(events)s::text, E'\n')::rejections[])
ON CONFLICT DO NOTHING
RETURNING
    message_key, received_at, write_key, occurred_at, bucket, session_key,
    coalesce(corrected_at, occurred_at) <= received_at + interval '2 days'
      AND coalesce(corrected_at, occurred_at)
        >= received_at - CASE WHEN imported THEN interval '400 days' ELSE interval '90 days' END AS timely
