-- Events by the minute in which they were written, by outcome and reason.
-- Grain: one row a minute, outcome and reason.
-- Index: outcomes_written_at_idx (BRIN): a look reads the last pages only.
-- Parameters: since (written_at).
SELECT
    date_trunc('minute', written_at) AS minute,
    outcome,
    reason,
    CAST(sum(count) AS bigint) AS count
FROM outcomes
WHERE written_at >= :since AND outcome IN ('accepted', 'duplicate', 'rejected')
GROUP BY 1, 2, 3
