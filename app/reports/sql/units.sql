-- What each user did under each key. Ephemeral ids (of first runs only, as containers mint one each) of one
-- setup are one user. Grain: one row a window, key and user. Index: none, the table units is hashed: those
-- who are ephemeral or not settled. Reads: the stage applications. Parameter: nobody (stands for no user).
--
-- settled = attempts - in_flight. weight = min(settled, 5). share = weight * ranked / settled in units of
-- 10^-8: an integer, so that its sums are the same in any order, on any engine. first_hour, crowded: of a
-- user who is not settled (seven days between first and last arrival), the hour of the first arrival, and
-- whether one was in a batch of more than five identities under a key that is no relay's.
SELECT
    is_current, number, unit, is_ephemeral, first_hour, crowded, attempts, settled, succeeded, failed, ranked,
        use_cases,
    least(settled, 5) AS weight,
    CASE WHEN settled > 0
        THEN CAST(least(CAST(least(settled, 5) AS bigint) * ranked * 100000000 / settled,
            500000000) AS integer)
        ELSE 0
    END AS share
FROM (
    SELECT
        is_current, number, is_ephemeral,
        CASE WHEN is_ephemeral THEN coalesce(setup, unit) ELSE unit END AS unit,
        min(first_hour) AS first_hour,
        bool_or(crowded) AS crowded,
        CAST(least(sum(succeeded + failed + canceled + open), 2147483647) AS integer) AS attempts,
        CAST(least(sum(succeeded + failed + canceled + open - in_flight), 2147483647) AS integer) AS settled,
        CAST(least(sum(succeeded), 2147483647) AS integer) AS succeeded,
        CAST(least(sum(failed), 2147483647) AS integer) AS failed,
        CAST(least(sum(ranked), 2147483647) AS integer) AS ranked,
        CASE WHEN is_ephemeral AND count(setup) > 0 THEN 1
            ELSE count(*) FILTER (WHERE application_hash <> CAST(:nobody AS bigint))
        END AS use_cases
    FROM (
        SELECT
            applications.*,
            coalesce(NOT lasting, false) AS is_ephemeral,
            setup,
            CASE WHEN NOT units.settled THEN first_hour END AS first_hour,
            coalesce(units.crowded AND NOT units.settled, false) AS crowded
        FROM applications
        LEFT JOIN units
          ON units.bucket = applications.bucket AND units.unit = applications.unit AND NOT (lasting
              AND units.settled)
        WHERE applications.unit <> CAST(:nobody AS bigint)
    ) AS known
    GROUP BY is_current, number, is_ephemeral, CASE WHEN is_ephemeral THEN coalesce(setup, unit) ELSE unit END
) AS users
