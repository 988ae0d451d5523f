-- The votes, and after them what each new version brought: two questions to one reading of the daily sums.
-- Grain: that of the stage ballots, or a comparison without one; then that of the stage new_errors
-- (exception_class is not NULL). Reads: the stages compared, ballots and new_errors.
SELECT
    compared.kind, compared.key, compared.new_version, compared.old_version, compared.since,
    voted.is_new, CAST(voted.start + 6 AS text) AS settled_on, voted.vote, voted.own_before,
    voted.exception_class, voted.units
FROM compared
LEFT JOIN (
    SELECT
        new_number, is_new, start, unit, ranked / settled AS vote, ranked_before / nullif(settled_before,
            0) AS own_before,
        NULL AS exception_class, NULL AS units
    FROM ballots
    UNION ALL
    SELECT new_number, NULL, NULL, NULL, NULL, NULL, exception_class, units FROM new_errors
) AS voted ON voted.new_number = compared.new_number
ORDER BY compared.kind, compared.key, compared.new_version, voted.start, voted.unit, voted.exception_class
