-- Keeps the tombstones that were met (by %(events)s),
-- about once a day each. On every node, so it is tried for itself, after the part is committed.
UPDATE tombstones AS t SET met_at = now()
WHERE coalesce(t.met_at, '-infinity') < now() - interval '1 day'
    AND (t.bucket, t.anonymous_id) IN (
        SELECT r.bucket, r.anonymous_id
        FROM unnest(string_to_array(%(events)s::text, E'\n')::rejections[]) AS r
    )
