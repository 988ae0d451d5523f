-- Keeps in `units` what is known of each user as such: when it was first and last heard of, whether it has a
-- memory, what links it to others that have none, and under which write keys it sent. Grain: one row a unit
-- of the marked sessions. Index: the primary key of units; rows come in its order, so that two workers cannot
-- deadlock. Reads: the table `signals` of this connection. Parameter: nobody (stands for no user).
--
-- Least, greatest and OR over every signal ever rolled up: any order and any repetition gives the same, and
-- nothing is taken back when an event goes. Times are those of arrival, which no sender chooses. lasting:
-- some session was no first run, so the id was kept from an earlier one. setup: the least linking hash.
-- write_keys: a bit for each of the keys 1 to 62; the first bit for all others.
INSERT INTO units (first_hour, last_day, bucket, unit, setup, write_keys, lasting, crowded)
SELECT
    date_trunc('hour', min(received_at), 'UTC'),
    CAST(max(received_at) AT TIME ZONE 'UTC' AS date),
    bucket,
    unit,
    min(setup),
    bit_or(CASE WHEN write_key BETWEEN 1 AND 62 THEN CAST(1 AS bigint) << write_key ELSE 1 END),
    bool_or(NOT first_run),
    bool_or(crowded)
FROM signals
WHERE unit <> CAST(:nobody AS bigint)
GROUP BY bucket, unit
ORDER BY bucket, unit
ON CONFLICT (bucket, unit) DO UPDATE SET
    first_hour = least(units.first_hour, excluded.first_hour),
    last_day = greatest(units.last_day, excluded.last_day),
    setup = least(units.setup, excluded.setup),
    write_keys = units.write_keys | excluded.write_keys,
    lasting = units.lasting OR excluded.lasting,
    crowded = units.crowded OR excluded.crowded
WHERE excluded.first_hour < units.first_hour
   OR excluded.last_day > units.last_day
   OR (excluded.lasting AND NOT units.lasting)
   OR (excluded.crowded AND NOT units.crowded)
   OR (units.write_keys | excluded.write_keys) <> units.write_keys
   OR least(units.setup, excluded.setup) IS DISTINCT FROM units.setup
