-- What each user did by every facet of the connector that is asked for, in the place of the stage that reads
-- keyed. Grain: one row a facet's number and unit. Reads: the stage facet_units. Parameter: nobody.
SELECT
    true AS is_current, number, bucket, unit, CAST(:nobody AS bigint) AS application_hash,
    succeeded, failed, ranked, canceled, open, in_flight, 0 AS orphans, 0 AS from_ledger, 0 AS records
FROM facet_units
