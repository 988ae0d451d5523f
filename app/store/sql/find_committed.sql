-- Which of some batches (%(ids)s, with their %(buckets)s) are committed already: their counts are there. The
-- buckets are asked for twice, so that a cluster looks at their shards only. Grain: one row a batch. Index:
-- the primary keys of outcomes and tallies, which begin with bucket and batch.
WITH asked AS MATERIALIZED (
    SELECT bucket, batch_id FROM unnest(%(buckets)s::smallint[], %(ids)s::uuid[]) AS t (bucket, batch_id)
)
SELECT o.batch_id FROM asked AS a JOIN outcomes AS o ON o.bucket = a.bucket AND o.batch_id = a.batch_id
WHERE o.bucket = ANY(%(buckets)s::smallint[])
UNION
SELECT t.batch_id FROM asked AS a JOIN tallies AS t ON t.bucket = a.bucket AND t.batch_id = a.batch_id
WHERE t.bucket = ANY(%(buckets)s::smallint[])
