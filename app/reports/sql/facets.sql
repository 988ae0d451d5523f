-- The report `connector`, facet by facet.
-- Grain: one row a section and item. Reads: the stages facet_names, units, counts and durations.
--
-- top_failures: those of the user with most of them, whatever class. never_succeeded: users without a
-- success.
SELECT
    names.section, names.item, names.kind, counts.*,
    coalesce(durations.timed, 0) AS timed, durations.duration_p50, durations.duration_p90,
    coalesce(users.top_failures, 0) AS top_failures,
    coalesce(users.never_succeeded, 0) AS never_succeeded
FROM counts
JOIN facet_names AS names ON names.number = counts.number
LEFT JOIN (
    SELECT
        number,
        CAST(max(failed) AS bigint) AS top_failures,
        count(*) FILTER (WHERE succeeded = 0) AS never_succeeded
    FROM units
    GROUP BY number
) AS users ON users.number = counts.number
LEFT JOIN durations ON durations.number = counts.number
