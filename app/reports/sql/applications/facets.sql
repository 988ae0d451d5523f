-- What each user did by every facet of the connector that is asked for, in the place of the stage that reads
-- keyed: what the totals of counts.sql are made of. Grain: one row a facet's number and user. Reads: the
-- stage facet_units.
SELECT
    true AS is_current, number, succeeded, failed, ranked, canceled, open, in_flight,
    0 AS orphans, 0 AS from_ledger, 0 AS records
FROM facet_units
