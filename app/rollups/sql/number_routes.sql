-- Gives new routes their numbers. In key order, so that two workers cannot deadlock; known ones burn no number.
-- Grain: one row a route. Index: routes_words_key.
-- Reads: the table `contributions` of this connection.
INSERT INTO routes (
    event, lane, source_name, source_version, destination_name, destination_version, cache_type
)
SELECT DISTINCT
    event, lane, source_name, source_version, destination_name, destination_version, cache_type
FROM contributions AS c
WHERE NOT EXISTS (
    SELECT FROM routes AS r
    WHERE (r.source_name, r.destination_name, r.lane, r.event, r.source_version, r.destination_version, r.cache_type)
        = (c.source_name, c.destination_name, c.lane, c.event, c.source_version, c.destination_version, c.cache_type)
)
ORDER BY source_name, destination_name, lane, event, source_version, destination_version, cache_type
ON CONFLICT DO NOTHING
