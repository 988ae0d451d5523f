-- The counts that every rate is made of.
-- Grain: one row a window (is_current, else the one before) and key.
-- Reads: the stages applications, units and arrivals.
--
-- Per user u: a = settled attempts (config failures included), f = failures of another class than config,
-- w = min(a, 5), s = w * f / a. capped_weight is the sum of w, capped_failures that of s: their quotient is
-- the capped rate. weighed_units: a user who lasts counts 1, an ephemeral one as far as its attempts go
-- (arrivals.sql): whoever mints a new id each run is not a new user each run. surge: whether more than half
-- of the sum of s, or of the users if there is one, is of more than five users who are not settled and were
-- first heard of within the same hour, or who came in batches of many identities (units.sql). Attempts
-- without a user count in the totals only. use_cases: distinct pairs of user and application.
SELECT
    is_current, number, attempts, succeeded, failed, failed_config, canceled, in_flight, abandoned, orphans,
    from_ledger, records,
    coalesce(use_cases, 0) AS use_cases,
    coalesce(units, 0) AS units,
    coalesce(ephemeral_units, 0) AS ephemeral_units,
    coalesce(weighed_units, 0) AS weighed_units,
    coalesce(affected_units, 0) AS affected_units,
    coalesce(capped_weight, 0) AS capped_weight,
    coalesce(capped_failures, 0) AS capped_failures,
    coalesce(surge, false) AS surge
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
        CAST(least(sum(records), 9000000000000000000) AS bigint) AS records
    FROM applications
    GROUP BY is_current, number
) AS totals
LEFT JOIN (
    SELECT
        is_current, number,
        CAST(sum(units) AS bigint) AS units,
        CAST(sum(ephemeral_units) AS bigint) AS ephemeral_units,
        CAST(sum(affected_units) AS bigint) AS affected_units,
        CAST(sum(use_cases) AS bigint) AS use_cases,
        CAST(sum(weighed) AS double precision) / 1000000 AS weighed_units,
        CAST(sum(weight) AS bigint) AS capped_weight,
        CAST(sum(share) AS double precision) / 100000000 AS capped_failures,
        max(all_share) > 0 AND (
            bool_or(first_hour IS NOT NULL AND hour_units > 5 AND (2 * hour_share > all_share
                OR 2 * hour_units > all_units))
            OR coalesce(sum(units) FILTER (WHERE crowded), 0) > 5
                AND (2 * sum(share) FILTER (WHERE crowded) > max(all_share)
                     OR 2 * sum(units) FILTER (WHERE crowded) > max(all_units))
        ) AS surge
    FROM arrivals
    GROUP BY is_current, number
) AS users USING (is_current, number)
