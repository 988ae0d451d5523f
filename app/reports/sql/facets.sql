-- The report `connector`, facet by facet.
-- Grain: one row a section and item. Reads: the stage facet_units. Parameter: nobody.
--
-- capped_weight, capped_failures: as in counts.sql. top_failures: those of the user with most of them, whatever class.
-- never_succeeded: users without a success.
SELECT
    section,
    item,
    count(*) FILTER (WHERE is_told AND attempts > 0) AS units,
    count(*) FILTER (WHERE is_told AND ranked > 0) AS affected_units,
    CAST(sum(attempts) AS bigint) AS attempts,
    CAST(sum(succeeded) AS bigint) AS succeeded,
    CAST(sum(failed) AS bigint) AS failed,
    CAST(sum(failed - ranked) AS bigint) AS failed_config,
    CAST(sum(canceled) AS bigint) AS canceled,
    CAST(sum(in_flight) AS bigint) AS in_flight,
    CAST(sum(open - in_flight) AS bigint) AS abandoned,
    CAST(coalesce(sum(least(attempts - in_flight, 20)) FILTER (WHERE is_told), 0) AS bigint) AS capped_weight,
    coalesce(CAST(sum(CAST(
        least(attempts - in_flight, 20) * CAST(1e9 AS double precision) * CAST(ranked AS double precision)
        / CAST(nullif(attempts - in_flight, 0) AS double precision) AS bigint
    )) FILTER (WHERE is_told) AS double precision) / 1e9, 0) AS capped_failures,
    CAST(coalesce(max(failed) FILTER (WHERE is_told), 0) AS bigint) AS top_failures,
    count(*) FILTER (WHERE is_told AND attempts > 0 AND succeeded = 0) AS never_succeeded
FROM (
    SELECT
        section, item, unit <> CAST(:nobody AS bigint) AS is_told, succeeded, failed, ranked, canceled, open, in_flight,
        succeeded + failed + canceled + open AS attempts
    FROM facet_units
) AS users
GROUP BY section, item
