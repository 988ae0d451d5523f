-- What each user did with each application under each key (a connector, a pair, a version: what the stage keyed numbers).
-- Grain: one row a window, key, unit and application. One pass over the daily sums; what follows reads a fraction of it.
-- Reads: the stage keyed.
--
-- ranked: failures of another class than config. Integers, since sums of those are fast; records are no integer for the
-- same reason.
SELECT
    is_current, number, unit, application_hash,
    CAST(sum(succeeded) AS integer) AS succeeded,
    CAST(sum(failed) AS integer) AS failed,
    CAST(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0 ELSE failed END
    ) AS integer) AS ranked,
    CAST(sum(canceled) AS integer) AS canceled,
    CAST(sum(open) AS integer) AS open,
    CAST(sum(in_flight) AS integer) AS in_flight,
    CAST(sum(orphans) AS integer) AS orphans,
    CAST(sum(from_ledger) AS integer) AS from_ledger,
    sum(records) AS records
FROM keyed
GROUP BY is_current, number, unit, application_hash
