-- What each user did with each application between which connectors: what the fleet, sources and destinations
-- of `home` are made of. Grain: one row a window, source's number, destination's number, unit and
-- application. Reads: the stages scope and home_routes. Counts saturate, as those of applications.sql do.
SELECT
    is_current, source, destination, bucket, unit, application_hash,
    CAST(least(sum(succeeded), 268435455) AS integer) AS succeeded,
    CAST(least(sum(failed), 268435455) AS integer) AS failed,
    CAST(least(sum(
        CASE WHEN failure = ANY(ARRAY(SELECT id FROM failures WHERE failure_class = 'config')) THEN 0
            ELSE failed END
    ), 268435455) AS integer) AS ranked,
    CAST(least(sum(canceled), 268435455) AS integer) AS canceled,
    CAST(least(sum(open), 268435455) AS integer) AS open,
    CAST(least(sum(in_flight), 268435455) AS integer) AS in_flight,
    CAST(least(sum(orphans), 268435455) AS integer) AS orphans,
    CAST(least(sum(from_ledger), 268435455) AS integer) AS from_ledger,
    CAST(least(sum(records), 9000000000000000000) AS bigint) AS records
FROM scope
JOIN home_routes ON home_routes.id = scope.route
GROUP BY is_current, source, destination, bucket, unit, application_hash
