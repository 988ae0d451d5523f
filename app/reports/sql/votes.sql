-- The votes: each returning user's share of failures other than config over the first 7 days (UTC) on the version.
-- Grain: one row a comparison, side and unit; a comparison that nobody has voted on yet has one row without a vote.
-- Reads: the stages version_days, comparisons and voters. Parameters: last_day, as_of.
--
-- A vote is settled when its seventh day is over. own_before: the user's share in the 28 days before the first day on it, with
-- the same connector in whatever version; NULL without a settled sync in them. Whole weeks on both sides: weekdays cancel.
SELECT
    comparisons.kind, comparisons.key, comparisons.new_version, comparisons.old_version,
    CAST(comparisons.since AS text) AS since,
    votes.is_new, CAST(votes.start + 6 AS text) AS settled_on,
    votes.ranked / votes.settled AS vote,
    votes.ranked_before / nullif(votes.settled_before, 0) AS own_before
FROM comparisons
LEFT JOIN (
    SELECT
        voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start,
        CAST(sum(days.ranked) FILTER (WHERE days.day >= voters.start) AS double precision) AS ranked,
        CAST(sum(days.settled) FILTER (WHERE days.day >= voters.start) AS double precision) AS settled,
        CAST(sum(days.ranked) FILTER (WHERE days.day < voters.start) AS double precision) AS ranked_before,
        CAST(sum(days.settled) FILTER (WHERE days.day < voters.start) AS double precision) AS settled_before
    FROM voters
    JOIN version_days AS days
      ON days.kind = voters.kind AND days.key = voters.key AND days.unit = voters.unit
     AND days.day BETWEEN voters.start - 28 AND voters.start + 6
     AND (days.day < voters.start OR days.version = voters.version)
    WHERE voters.start + 6 <= CAST(:last_day AS date)
      AND voters.start + 6 < CAST(CAST(:as_of AS timestamptz) AT TIME ZONE 'UTC' AS date)
    GROUP BY voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start
) AS votes
  ON votes.kind = comparisons.kind AND votes.key = comparisons.key AND votes.new_version = comparisons.new_version
 AND votes.settled > 0
ORDER BY comparisons.kind, comparisons.key, comparisons.new_version, votes.start, votes.unit
