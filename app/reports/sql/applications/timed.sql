-- What each user did with each application under each key, and how long it took: in the place of the stage of
-- that name, for reports of durations. Grain: one row a window, key, unit and application. One pass over the
-- daily sums. Reads: the stage keyed.
--
-- took: of the window only, a number for each row of daily sums (one user, day, route, environment and
-- application) that has timed syncs: 8 x its mean class in quarters of one + its weight. The mean of their
-- classes (durations / timed; app/store/durations.py) is the class of their geometric mean; it weighs as many
-- as they are, 5 at most, so that nobody's loop decides; NULL without any. All other columns are those of
-- applications.sql.
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
    CAST(least(sum(records), 9000000000000000000) AS bigint) AS records,
    CAST(least(sum(timed), 268435455) AS integer) AS timed,
    array_agg(CAST(8 * least((4 * durations + timed / 2) / timed, 468) + least(timed, 5) AS smallint))
        FILTER (WHERE timed > 0 AND is_current) AS took
FROM keyed
GROUP BY is_current, number, bucket, unit, application_hash
