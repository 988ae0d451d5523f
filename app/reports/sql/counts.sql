-- The counts that every rate is made of.
-- Grain: one row a window (is_current, else the one before) and key.
-- Reads: the stages applications and units. Parameter: nobody (stands for no user, and for no application).
--
-- Per unit u: a = settled attempts (config failures included), f = failures of another class than config,
-- w = min(a, 20), s = w * f / a. capped_weight is the sum of w, capped_failures that of s: their quotient is the capped
-- rate. Each s is rounded to a billionth and those are added as integers: the sum is the same whatever the order and plan. Attempts without a unit count in the totals only. use_cases: distinct pairs of unit and application.
SELECT
    is_current, number, attempts, succeeded, failed, failed_config, canceled, in_flight, abandoned, orphans,
    from_ledger, records, use_cases,
    coalesce(units, 0) AS units,
    coalesce(affected_units, 0) AS affected_units,
    coalesce(capped_weight, 0) AS capped_weight,
    coalesce(capped_failures, 0) AS capped_failures
FROM (
    SELECT
        is_current, number,
        CAST(sum(succeeded + failed + canceled + open) AS bigint) AS attempts,
        CAST(sum(succeeded) AS bigint) AS succeeded,
        CAST(sum(failed) AS bigint) AS failed,
        CAST(sum(failed - ranked) AS bigint) AS failed_config,
        CAST(sum(canceled) AS bigint) AS canceled,
        CAST(sum(in_flight) AS bigint) AS in_flight,
        CAST(sum(open - in_flight) AS bigint) AS abandoned,
        CAST(sum(orphans) AS bigint) AS orphans,
        CAST(sum(from_ledger) AS bigint) AS from_ledger,
        CAST(least(sum(records), 9000000000000000000) AS bigint) AS records,
        count(*) FILTER (WHERE unit <> CAST(:nobody AS bigint) AND application_hash <> CAST(:nobody AS bigint)) AS use_cases
    FROM applications
    GROUP BY is_current, number
) AS totals
LEFT JOIN (
    SELECT
        is_current, number,
        count(*) AS units,
        count(*) FILTER (WHERE ranked > 0) AS affected_units,
        CAST(sum(least(settled, 20)) AS bigint) AS capped_weight,
        CAST(sum(
            CAST(least(settled, 20) * CAST(1e9 AS double precision) * ranked / nullif(settled, 0) AS bigint)
        ) AS double precision) / 1e9 AS capped_failures
    FROM units
    GROUP BY is_current, number
) AS users USING (is_current, number)
