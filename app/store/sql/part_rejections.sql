-- The refused events of a part for one node; returns those that were new, `timely` and `telling` as in
-- insert_batch.sql. Grain: an event. Index: the primary key.
INSERT INTO rejections ({columns}, configured, reason, path)
SELECT {columns}, configured, reason, path
FROM unnest(string_to_array(%(events)s::text, E'\n')::rejections[])
ON CONFLICT DO NOTHING
RETURNING
    message_key, received_at, occurred_at, bucket, session_key,
    coalesce(corrected_at, occurred_at) <= received_at + interval '2 days'
      AND coalesce(corrected_at, occurred_at)
        >= received_at - CASE WHEN imported THEN interval '400 days' ELSE interval '90 days' END AS timely,
    num_nonnulls(
        event, state, number_of_records, source_name, source_version, source_executor_type, destination_name,
        destination_version, destination_executor_type, cache_type
    ) > 0 OR configured > 0 OR path ~ '^properties[.](source|destination|cache)' AS telling
