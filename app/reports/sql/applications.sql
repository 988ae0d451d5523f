-- What each user did with each application under each key (a connector, a pair, a version: what the stage keyed numbers).
-- Grain: one row a window, key, unit and application. One pass over the daily sums; what follows reads a fraction of it.
-- Reads: the stage keyed.
--
-- ranked: failures of another class than config.
SELECT
    is_current, number, unit, application_hash,
    sum(succeeded) AS succeeded,
    sum(failed) AS failed,
    sum(CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0 ELSE failed END)
        AS ranked,
    sum(canceled) AS canceled,
    sum(open) AS open,
    sum(in_flight) AS in_flight,
    sum(orphans) AS orphans,
    sum(from_ledger) AS from_ledger,
    sum(records) AS records
FROM keyed
GROUP BY is_current, number, unit, application_hash
