-- What each user did with each connector in the window.
-- Grain: one row a connector and unit; unit NULL gathers the attempts that no user can be told of.
-- Reads: the stage attempts; `bucket` follows from the unit, so that distinct units can be counted shard by shard.
-- Parameters: window_from, window_until (UTC midnights, the latter excluded), as_of (now: an open attempt is in flight
--        while it settles later), role, lane, ci, prerelease, version.
--
-- Pre-release: anything but N.N.N or N.N.N.postN (alphas, candidates, .dev, a build of a commit), and 0.0.0, the version
-- of a checkout. A version that was withheld is taken for a release.
SELECT
    connector,
    bucket,
    unit,
    count(*) AS attempts,
    count(*) FILTER (WHERE outcome = 'succeeded') AS succeeded,
    count(*) FILTER (WHERE outcome = 'failed') AS failed,
    count(*) FILTER (WHERE failure_class = 'config') AS failed_config,
    count(*) FILTER (WHERE outcome = 'canceled') AS canceled,
    count(*) FILTER (WHERE outcome = 'open' AND settles_at > :as_of) AS in_flight,
    count(*) FILTER (WHERE outcome = 'open' AND settles_at <= :as_of) AS abandoned,
    count(*) FILTER (WHERE orphan) AS orphans,
    count(*) FILTER (WHERE refused) AS from_ledger,
    count(DISTINCT application_hash) AS use_cases,
    sum(number_of_records) AS records
FROM (
    SELECT
        attempts.*,
        CASE CAST(:role AS text) WHEN 'destination' THEN destination_name ELSE source_name END AS connector
    FROM attempts
    WHERE happened_at >= :window_from
      AND happened_at < :window_until
      AND CASE CAST(:lane AS text) WHEN 'rated' THEN lane IN ('cache', 'write') ELSE lane = CAST(:lane AS text) END
      AND CASE CAST(:ci AS text) WHEN 'exclude' THEN NOT ci WHEN 'only' THEN ci ELSE true END
      AND (CAST(:version AS text) IS NULL OR version = CAST(:version AS text))
      AND CASE CAST(:prerelease AS text)
            WHEN 'include' THEN true
            ELSE (CAST(:prerelease AS text) = 'only')
                = (version IS NOT NULL
                   AND (version = '0.0.0' OR version !~ '^[0-9]+\.[0-9]+\.[0-9]+(\.post[0-9]+)?$'))
        END
) AS chosen
WHERE connector IS NOT NULL
GROUP BY connector, bucket, unit
