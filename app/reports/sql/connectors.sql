-- The report `connectors`, before it is ranked.
-- Grain: one row a connector.
-- Reads: the stage unit_totals. No parameter of its own.
--
-- Per unit u: a = settled attempts (config failures included), f = failures of another class than config,
-- w = min(a, 20), s = w * f / a. capped_weight is the sum of w, capped_failures that of s: their quotient is the capped
-- rate. Attempts without a unit count in the totals only.
SELECT
    connector,
    count(unit) AS units,
    count(unit) FILTER (WHERE failed > failed_config) AS affected_units,
    CAST(sum(attempts) AS bigint) AS attempts,
    CAST(sum(succeeded) AS bigint) AS succeeded,
    CAST(sum(failed) AS bigint) AS failed,
    CAST(sum(failed_config) AS bigint) AS failed_config,
    CAST(sum(canceled) AS bigint) AS canceled,
    CAST(sum(in_flight) AS bigint) AS in_flight,
    CAST(sum(abandoned) AS bigint) AS abandoned,
    CAST(sum(orphans) AS bigint) AS orphans,
    CAST(sum(from_ledger) AS bigint) AS from_ledger,
    CAST(coalesce(sum(use_cases) FILTER (WHERE unit IS NOT NULL), 0) AS bigint) AS use_cases,
    CAST(coalesce(sum(records), 0) AS bigint) AS records,
    CAST(coalesce(sum(least(attempts - in_flight, 20)) FILTER (WHERE unit IS NOT NULL), 0) AS bigint) AS capped_weight,
    coalesce(sum(
        CAST(least(attempts - in_flight, 20) * (failed - failed_config) AS double precision)
        / nullif(attempts - in_flight, 0)
    ) FILTER (WHERE unit IS NOT NULL), 0) AS capped_failures
FROM unit_totals
GROUP BY connector
