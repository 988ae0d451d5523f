-- The days of `home`: all users and connectors together.
-- Grain: one row a UTC day. Index: none, the table units is hashed: those who are ephemeral. Reads: the stage
-- scope. Parameters: prior_from (date), nobody (stands for no user).
--
-- n: how many days it lies after the first that is read. Ephemeral ids of one setup are one user, as in
-- units.sql. Stands before the stage of the name of that table.
SELECT
    day - CAST(:prior_from AS date) AS n,
    count(*) FILTER (WHERE unit <> CAST(:nobody AS bigint)) AS units,
    count(*) FILTER (WHERE unit <> CAST(:nobody AS bigint) AND ranked > 0) AS affected_units,
    CAST(sum(attempts) AS bigint) AS attempts,
    CAST(sum(succeeded) AS bigint) AS succeeded,
    CAST(sum(failed) AS bigint) AS failed,
    CAST(sum(canceled) AS bigint) AS canceled,
    CAST(sum(in_flight) AS bigint) AS in_flight,
    CAST(sum(abandoned) AS bigint) AS abandoned
FROM (
    SELECT
        day, is_ephemeral, CASE WHEN is_ephemeral THEN coalesce(setup, unit) ELSE unit END AS unit,
        sum(attempts) AS attempts, sum(succeeded) AS succeeded, sum(failed) AS failed, sum(ranked) AS ranked,
        sum(canceled) AS canceled, sum(in_flight) AS in_flight, sum(abandoned) AS abandoned
    FROM (
        SELECT
            days.*, units.setup,
            units.unit IS NOT NULL AND days.unit <> CAST(:nobody AS bigint) AS is_ephemeral
        FROM (
            SELECT
                day, bucket, unit,
                CAST(least(sum(succeeded + failed + canceled + open), 1073741820) AS integer) AS attempts,
                CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
                CAST(least(sum(failed), 268435455) AS integer) AS failed,
                CAST(least(sum(
                    CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config'))
                        THEN 0 ELSE failed END
                ), 268435455) AS integer) AS ranked,
                CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
                CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight,
                CAST(least(sum(open - in_flight), 268435455) AS integer) AS abandoned
            FROM scope
            GROUP BY day, bucket, unit
        ) AS days
        LEFT JOIN units ON units.bucket = days.bucket AND units.unit = days.unit AND NOT units.lasting
    ) AS known
    GROUP BY day, is_ephemeral, CASE WHEN is_ephemeral THEN coalesce(setup, unit) ELSE unit END
) AS users
GROUP BY day
