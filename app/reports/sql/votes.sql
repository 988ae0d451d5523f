-- The votes: each returning user's share of failures other than config over the first 7 days (UTC) on the version.
-- Grain: one row a comparison, side and unit; a comparison that nobody has voted on yet has one row without a vote.
-- Reads: the stages version_days, comparisons and voters. Parameters: last_day, as_of.
--
-- A vote is settled when its seventh day is over. own_before: of a vote on the new version, the user's share in the 28 days
-- before the first day on it, with the same connector in whatever version; NULL without a settled sync in them. Whole weeks on
-- both sides: weekdays cancel.
SELECT
    comparisons.kind, comparisons.key, comparisons.new_version, comparisons.old_version,
    CAST(comparisons.since AS text) AS since,
    votes.is_new, CAST(votes.start + 6 AS text) AS settled_on,
    votes.ranked / votes.settled AS vote,
    votes.ranked_before / nullif(votes.settled_before, 0) AS own_before
FROM comparisons
LEFT JOIN (
    SELECT
        kind, key, new_version, is_new, unit, start,
        CAST(sum(ranked) AS double precision) AS ranked,
        CAST(sum(settled) AS double precision) AS settled,
        CAST(sum(ranked_before) AS double precision) AS ranked_before,
        CAST(sum(settled_before) AS double precision) AS settled_before
    FROM (
        SELECT
            voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start,
            days.ranked, days.settled, 0 AS ranked_before, 0 AS settled_before
        FROM voters
        JOIN version_days AS days
          ON days.kind = voters.kind AND days.key = voters.key AND days.unit = voters.unit
         AND days.version = voters.version AND days.day BETWEEN voters.start AND voters.start + 6
        UNION ALL
        SELECT
            voters.kind, voters.key, voters.new_version, voters.is_new, voters.unit, voters.start,
            0, 0, days.ranked, days.settled
        FROM voters
        JOIN version_days AS days
          ON days.kind = voters.kind AND days.key = voters.key AND days.unit = voters.unit
         AND days.day BETWEEN voters.start - 28 AND voters.start - 1
        WHERE voters.is_new
    ) AS parts
    WHERE start + 6 <= CAST(:last_day AS date)
      AND start + 6 < CAST(CAST(:as_of AS timestamptz) AT TIME ZONE 'UTC' AS date)
    GROUP BY kind, key, new_version, is_new, unit, start
) AS votes
  ON votes.kind = comparisons.kind AND votes.key = comparisons.key AND votes.new_version = comparisons.new_version
 AND votes.settled > 0
ORDER BY comparisons.kind, comparisons.key, comparisons.new_version, votes.start, votes.unit
