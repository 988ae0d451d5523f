-- What each user did on each day with each version of a source, of a destination, and of PyAirbyte.
-- Grain: one row a version's number, unit and day. Reads: the stage version_uses.
SELECT
    number, bucket, unit, day,
    CAST(least(sum(settled), 1073741820) AS integer) AS settled,
    CAST(least(sum(ranked), 1073741820) AS integer) AS ranked,
    CAST(least(sum(succeeded), 1073741820) AS integer) AS succeeded
FROM (
    SELECT source AS number, bucket, unit, day, settled, ranked, succeeded FROM version_uses
        WHERE source IS NOT NULL
    UNION ALL
    SELECT destination, bucket, unit, day, settled, ranked, succeeded FROM version_uses
        WHERE destination IS NOT NULL
    UNION ALL
    SELECT release, bucket, unit, day, settled, ranked, succeeded FROM version_uses WHERE release IS NOT NULL
) AS uses
GROUP BY number, bucket, unit, day
