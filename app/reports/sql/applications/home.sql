-- What each user did with each application in the fleet, with each source and with each destination, in the
-- place of the stage of that name. Grain: one row a window, part's number, unit and application. Reads: the
-- stage home_uses.
--
-- number: 3n, n = 0, is the fleet, 3n + 1 a source, 3n + 2 a destination.
SELECT
    is_current, number, bucket, unit, application_hash,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(ranked), 268435455) AS integer) AS ranked,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight,
    CAST(least(sum(orphans), 268435455) AS integer) AS orphans,
    CAST(least(sum(from_ledger), 268435455) AS integer) AS from_ledger,
    CAST(least(sum(records), 9000000000000000000) AS bigint) AS records
FROM home_uses
CROSS JOIN LATERAL (VALUES (0), (3 * source + 1), (3 * destination + 2)) AS parts (number)
WHERE number IS NOT NULL
GROUP BY is_current, number, bucket, unit, application_hash
