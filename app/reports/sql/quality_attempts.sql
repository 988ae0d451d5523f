-- Data quality of attempts, by lane.
-- Grain: one row a window (is_current, else the one before) and lane. Reads: the stage attempt_counts.
SELECT
    is_current,
    lane,
    CAST(sum(attempts) AS bigint) AS attempts,
    CAST(sum(orphans) AS bigint) AS orphans,
    CAST(sum(abandoned) AS bigint) AS abandoned,
    CAST(sum(in_flight) AS bigint) AS in_flight,
    CAST(sum(corrected) AS bigint) AS corrected,
    CAST(sum(from_ledger) AS bigint) AS from_ledger,
    CAST(sum(nobodys) AS bigint) AS nobodys
FROM attempt_counts
GROUP BY is_current, lane
ORDER BY lane
