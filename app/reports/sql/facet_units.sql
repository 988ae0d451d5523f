-- What each user did with the connector that is asked for, by every facet of it.
-- Grain: one row a facet's number (facet_names.sql) and user. Reads: the stages route_facets,
-- environment_facets, facet_uses and linked. Parameter: prior_from (date).
--
-- Days are those of both windows, the other sections but before and error before of the window only. error:
-- failed attempts only; the other sections hold them, too. Counts are integers and saturate, as those of
-- applications.sql do.
SELECT
    number, is_ephemeral, unit,
    min(first_hour) AS first_hour,
    bool_or(crowded) AS crowded,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0
            ELSE failed END
    ), 268435455) AS integer) AS ranked,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight
FROM (
    SELECT
        facets.number, is_ephemeral, unit, first_hour, crowded, failure,
        succeeded, failed, canceled, open, in_flight
    FROM facet_uses
    JOIN route_facets ON route_facets.id = facet_uses.route
    JOIN environment_facets ON environment_facets.id = facet_uses.environment
    CROSS JOIN LATERAL (
        VALUES
            (CASE WHEN is_current THEN 0 ELSE 1 END),
            (CASE WHEN is_current THEN 16 * version_number + 3 END),
            (CASE WHEN is_current THEN 16 * target_number + 4 END),
            (CASE WHEN is_current THEN 16 * pyairbyte_number + 5 END),
            (CASE WHEN is_current THEN 16 * python_number + 6 END),
            (CASE WHEN is_current THEN 16 * os_number + 7 END),
            (CASE WHEN is_current THEN 16 * notebook_number + 8 END),
            (CASE WHEN is_current THEN 16 * executor_number + 9 END),
            (CASE WHEN is_current AND failure <> 0 THEN 16 * failure + 10 END),
            (CASE WHEN NOT is_current AND failure <> 0 THEN 16 * failure + 12 END),
            (CASE WHEN is_current AND failure <> 0 THEN 16 * (64 * failure + version_number) + 11 END)
    ) AS facets (number)
    WHERE facets.number IS NOT NULL
    UNION ALL
    SELECT
        16 * (day - CAST(:prior_from AS date)) + 2, is_ephemeral, unit, first_hour, crowded, failure,
        succeeded, failed, canceled, open, in_flight
    FROM linked
) AS parts
GROUP BY number, is_ephemeral, unit
