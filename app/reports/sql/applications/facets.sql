-- What each user did by every facet of the connector that is asked for, in the place of the stage that reads keyed.
-- Grain: one row a section, item and unit. Reads: the stage facet_units. Parameter: nobody.
SELECT
    true AS is_current,
    CAST(dense_rank() OVER (ORDER BY section, item) AS integer) AS number,
    section, item, bucket, unit,
    CAST(:nobody AS bigint) AS application_hash,
    CAST(least(succeeded, 268435455) AS integer) AS succeeded,
    CAST(least(failed, 268435455) AS integer) AS failed,
    CAST(least(ranked, 268435455) AS integer) AS ranked,
    CAST(least(canceled, 268435455) AS integer) AS canceled,
    CAST(least(open, 268435455) AS integer) AS open,
    CAST(least(in_flight, 268435455) AS integer) AS in_flight,
    0 AS orphans,
    0 AS from_ledger,
    0 AS records
FROM facet_units
