-- The votes: each returning user's share of failures other than config over the first 7 days (UTC) on the
-- version. Grain: one row a comparison, side and unit; a comparison that nobody has voted on yet has one row
-- without a vote. Reads: the stages compared and ballots.
--
-- own_before: of a vote on the new version, the user's share in the 28 days before the first day on it, with
-- the same connector in whatever version; NULL without a settled sync in them.
SELECT
    compared.kind, compared.key, compared.new_version, compared.old_version, compared.since,
    ballots.is_new, CAST(ballots.start + 6 AS text) AS settled_on,
    ballots.ranked / ballots.settled AS vote,
    ballots.ranked_before / nullif(ballots.settled_before, 0) AS own_before
FROM compared
LEFT JOIN ballots ON ballots.new_number = compared.new_number
ORDER BY compared.kind, compared.key, compared.new_version, ballots.start, ballots.unit
