-- Gives new routes their numbers, and notes of known ones that they are in use: once a day, before a daily
-- sum refers to one, so that none is deleted meanwhile. In key order, so that two workers cannot deadlock.
-- Grain: one row a route. Index: routes_words_key. Reads: the table `signals` of this connection.
WITH reported AS MATERIALIZED (
    SELECT DISTINCT
        CAST(event AS text) AS event, lane, source_name, source_version, destination_name,
            destination_version, cache_type
    FROM signals
)
INSERT INTO routes (
    event, lane, source_name, source_version, destination_name, destination_version, cache_type, last_day
)
SELECT
    event, lane, source_name, source_version, destination_name, destination_version, cache_type,
    CAST(now() AT TIME ZONE 'UTC' AS date)
FROM reported AS s
WHERE NOT EXISTS (
    SELECT 1 FROM routes AS r
    WHERE (r.source_name, r.destination_name, r.lane, r.event, r.source_version, r.destination_version,
        r.cache_type)
        = (s.source_name, s.destination_name, s.lane, s.event, s.source_version, s.destination_version,
            s.cache_type)
      AND r.last_day >= CAST(now() AT TIME ZONE 'UTC' AS date)
)
ORDER BY source_name, destination_name, lane, event, source_version, destination_version, cache_type
ON CONFLICT (source_name, destination_name, lane, event, source_version, destination_version, cache_type)
DO UPDATE SET last_day = excluded.last_day WHERE routes.last_day < excluded.last_day
