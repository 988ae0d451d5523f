-- The votes, and after them what each new version brought: two questions to one reading of the daily sums.
-- Grain: that of the stage ballots, or a comparison without one; then that of the stage new_errors
-- (exception_class is not NULL). Reads: the stages compared, ballots and new_errors.
SELECT
    compared.kind, compared.key, compared.new_version, compared.old_version, compared.since,
    told.is_new, CAST(told.start + 6 AS text) AS settled_on, told.vote, told.own_before, told.exception_class,
        told.units
FROM compared
LEFT JOIN (
    SELECT
        new_number, is_new, start, unit, ranked / settled AS vote, ranked_before / nullif(settled_before,
            0) AS own_before,
        NULL AS exception_class, NULL AS units
    FROM ballots
    UNION ALL
    SELECT new_number, NULL, NULL, NULL, NULL, NULL, exception_class, units FROM new_errors
) AS told ON told.new_number = compared.new_number
ORDER BY compared.kind, compared.key, compared.new_version, told.start, told.unit, told.exception_class
