-- What each user did with the connector that is asked for, by every facet of it.
-- Grain: one row a facet's number (facet_names.sql) and unit. Reads: the stage keyed.
--
-- error: failed attempts only; the other sections hold them, too. Counts are integers and saturate, as those of
-- applications.sql do.
SELECT
    number, bucket, unit,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0
            ELSE failed END
    ), 268435455) AS integer) AS ranked,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight
FROM keyed
GROUP BY number, bucket, unit
