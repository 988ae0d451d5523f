-- What each user did with the connector that is asked for, day by day added up: what all facets but days are
-- made of.
-- Grain: one row a window, user, route, environment and failure. Reads: the stage linked.
--
-- Counts are integers and saturate; took: a number for each row of daily sums that has timed
-- syncs, as in timed_days.sql: 8 x its mean class in quarters of one + its weight; NULL without any.
SELECT
    is_current, is_ephemeral, unit, route, environment, failure,
    min(first_hour) AS first_hour,
    bool_or(crowded) AS crowded,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight,
    CAST(least(sum(timed), 268435455) AS integer) AS timed,
    array_agg(CAST(8 * least((4 * durations + timed / 2) / timed, 468) + least(timed, 5) AS smallint))
        FILTER (WHERE timed > 0) AS took
FROM linked
GROUP BY is_current, is_ephemeral, unit, route, environment, failure
