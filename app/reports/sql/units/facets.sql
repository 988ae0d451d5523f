-- What each user did by every facet of the connector that is asked for, in the place of the stage that reads
-- applications: facets know their users. Grain: one row a facet's number and user. Reads: the stage
-- facet_units. Parameter: nobody (stands for no user).
--
-- settled, weight, share: as in units.sql. use_cases: not counted by facet.
SELECT
    facet_users.*,
    least(settled, 5) AS weight,
    CASE WHEN settled > 0
        THEN CAST(least(CAST(least(settled, 5) AS bigint) * ranked * 100000000 / settled,
            500000000) AS integer)
        ELSE 0
    END AS share
FROM (
    SELECT
        true AS is_current, number, is_ephemeral, unit, first_hour, crowded,
        succeeded + failed + canceled + open AS attempts,
        succeeded + failed + canceled + open - in_flight AS settled,
        succeeded, failed, ranked, 0 AS use_cases
    FROM facet_units
    WHERE unit <> CAST(:nobody AS bigint)
) AS facet_users
