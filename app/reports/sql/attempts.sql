-- Attempts of a sync: what a table of attempts, kept up by the rollups, will hold one day.
-- Grain: one row an attempt. Pair = (unit, session key, source name, destination name, lane), all of event `sync`;
--        `bucket` follows from the unit or session and keeps a pair on one shard. In the order of (corrected time,
--        message key) the k-th terminal of a pair closes its k-th start. So a pair has max(starts, terminals)
--        attempts: a start left over is open, a terminal left over an orphan.
-- Reads: the stages accepted and refused; one sort by the pair, one hash aggregate.
--
-- A row without a session key (refused for it) meets no partner: it might meet a stranger's.
-- happened_at, ci, version, application_hash are those of the start; an orphan's are its own.
-- outcome: open, succeeded, failed, canceled. settles_at: an open attempt is in flight until 24 h after the latest
-- time of its pair, then abandoned.
SELECT
    bucket,
    unit,
    session_key,
    source_name,
    destination_name,
    lane,
    coalesce(min(happened_at) FILTER (WHERE is_start), min(happened_at)) AS happened_at,
    CASE WHEN bool_or(is_start) THEN bool_or(ci AND is_start) ELSE bool_or(ci) END AS ci,
    CASE WHEN bool_or(is_start) THEN max(version) FILTER (WHERE is_start) ELSE max(version) END AS version,
    CASE
        WHEN bool_or(is_start) THEN max(application_hash) FILTER (WHERE is_start) ELSE max(application_hash)
    END AS application_hash,
    coalesce(max(state) FILTER (WHERE NOT is_start), 'open') AS outcome,
    CASE
        WHEN bool_or(state = 'failed') IS NOT TRUE THEN NULL
        WHEN max(exception_class) IN (
            -- PyAirbyteInputError and its subclasses in PyAirbyte's exceptions.py, and their names up to 0.7
            'PyAirbyteInputError', 'PyAirbyteNoStreamsSelectedError', 'AirbyteNoCloudCredentialsError',
            'AirbyteMissingWorkspaceContextError', 'AirbyteLibInputError', 'AirbyteLibNoStreamsSelectedError',
            'AirbyteConnectorValidationFailedError', 'AirbyteConnectorCheckFailedError',
            'AirbyteConnectorConfigurationMissingError', 'AirbyteStreamNotFoundError',
            'PyAirbyteSecretNotFoundError', 'AirbyteLibSecretNotFoundError'
        ) THEN 'config'
        WHEN max(exception_class) = 'AirbyteConnectorWriteError' THEN 'destination'
        WHEN max(exception_class) IN (
            'PyAirbyteInternalError', 'PyAirbyteCacheError', 'PyAirbyteCacheTableValidationError',
            'PyAirbyteNameNormalizationError', 'AirbyteLibInternalError', 'AirbyteLibCacheError',
            'AirbyteLibCacheTableValidationError'
        ) THEN 'pyairbyte'
        WHEN max(exception_class) LIKE 'AirbyteConnector%' THEN 'connector'
        ELSE 'other'
    END AS failure_class,
    max(number_of_records) FILTER (WHERE state = 'succeeded') AS number_of_records,
    NOT bool_or(is_start) AS orphan,
    bool_or(refused) AS refused,
    max(settles_at) AS settles_at
FROM (
    SELECT
        signals.*,
        row_number() OVER (
            PARTITION BY session_key, alone, bucket, unit, source_name, destination_name, lane, is_start
            ORDER BY happened_at, message_key
        ) AS place,
        max(happened_at) OVER (
            PARTITION BY session_key, alone, bucket, unit, source_name, destination_name, lane
        ) + interval '24 hours' AS settles_at
    FROM (
        SELECT
            both_tables.*,
            state = 'started' AS is_start,
            CASE WHEN session_key IS NULL THEN message_key END AS alone
        FROM (SELECT * FROM accepted UNION ALL SELECT * FROM refused) AS both_tables
    ) AS signals
) AS numbered
GROUP BY session_key, alone, bucket, unit, source_name, destination_name, lane, place
