-- The votes: each returning user's share of failures other than config over the first 3 days on the version.
-- Grain: one row a comparison, side and unit; a comparison that nobody has voted on yet has one row without a vote.
-- Reads: the stages version_days, comparisons and voters. Parameters: last_day, as_of.
--
-- A vote is settled when its third day is over.
SELECT
    comparisons.kind, comparisons.key, comparisons.new_version, comparisons.old_version,
    CAST(comparisons.since AS text) AS since,
    votes.is_new, CAST(votes.start + 2 AS text) AS settled_on, votes.vote
FROM comparisons
LEFT JOIN (
    SELECT
        voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start,
        CAST(sum(days.ranked) AS double precision) / sum(days.settled) AS vote
    FROM voters
    JOIN version_days AS days
      ON days.kind = voters.kind AND days.key = voters.key AND days.version = voters.version
     AND days.unit = voters.unit AND days.day BETWEEN voters.start AND voters.start + 2
    WHERE voters.start + 2 <= CAST(:last_day AS date)
      AND voters.start + 2 < CAST(CAST(:as_of AS timestamptz) AT TIME ZONE 'UTC' AS date)
    GROUP BY voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start
    HAVING sum(days.settled) > 0
) AS votes
  ON votes.kind = comparisons.kind AND votes.key = comparisons.key AND votes.new_version = comparisons.new_version
ORDER BY comparisons.kind, comparisons.key, comparisons.new_version, votes.start, votes.unit
