-- What each user did with each application under each key (a connector, a pair, a version: what the stage
-- keyed numbers). Grain: one row a window, key, unit and application. One pass over the daily sums; what
-- follows reads a fraction of it. Reads: the stage keyed.
--
-- ranked: failures of another class than config. Counts are integers, since sums of those are fast, and
-- saturate at 2^28 - 1, so that four of them fit one; records are added exactly, as a float would not be
-- beyond 2^53.
SELECT
    is_current, number, bucket, unit, application_hash,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0
            ELSE failed END
    ), 268435455) AS integer) AS ranked,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight,
    CAST(least(sum(orphans), 268435455) AS integer) AS orphans,
    CAST(least(sum(from_ledger), 268435455) AS integer) AS from_ledger,
    CAST(least(sum(records), 9000000000000000000) AS bigint) AS records
FROM keyed
GROUP BY is_current, number, bucket, unit, application_hash
