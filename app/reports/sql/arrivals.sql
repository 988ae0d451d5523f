-- The users of each key by how they came: what counts.sql weighs and marks.
-- Grain: one row a window, key, kind of user (is_ephemeral), weight, first hour and crowd. Reads: the stage
-- units.
--
-- m = (L + 1) / (W + 5), where the L users of the key who last weigh W: one more of the greatest weight is
-- added, so that a few do not decide it. weighed, in units of 10^-6: a user who lasts counts 1, an ephemeral
-- one min(1, weight * m). all_*, hour_*: of the key, and of those who were first heard of within the same
-- hour.
SELECT
    is_current, number, first_hour, crowded, units, ephemeral_units, affected_units, use_cases, weight, share,
    units * CAST(CASE WHEN is_ephemeral THEN floor(1000000 * least(1, each_weight * m))
        ELSE 1000000 END AS bigint) AS weighed,
    sum(units) OVER of_key AS all_units,
    sum(share) OVER of_key AS all_share,
    sum(units) OVER of_hour AS hour_units,
    sum(share) OVER of_hour AS hour_share
FROM (
    SELECT
        grouped.*,
        CAST(coalesce(sum(units) FILTER (WHERE NOT is_ephemeral) OVER of_key, 0) + 1 AS double precision)
            / CAST(coalesce(sum(weight) FILTER (WHERE NOT is_ephemeral) OVER of_key,
                0) + 5 AS double precision) AS m
    FROM (
        SELECT
            is_current, number, is_ephemeral, first_hour, crowded, weight AS each_weight,
            count(*) AS units,
            count(*) FILTER (WHERE is_ephemeral) AS ephemeral_units,
            count(*) FILTER (WHERE ranked > 0) AS affected_units,
            sum(use_cases) AS use_cases,
            sum(weight) AS weight,
            sum(share) AS share
        FROM units
        GROUP BY is_current, number, is_ephemeral, first_hour, crowded, weight
    ) AS grouped
    WINDOW of_key AS (PARTITION BY is_current, number)
) AS measured
WINDOW of_key AS (PARTITION BY is_current, number), of_hour AS (PARTITION BY is_current, number, first_hour)
