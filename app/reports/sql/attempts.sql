-- Attempts of a sync: what a table of attempts, kept up by the rollups, will hold one day.
-- Grain: one row an attempt. Pair = (unit, session key, source name, destination name, lane), all of event `sync`;
--        `bucket` follows from the unit or session and keeps a pair on one shard. In the order of (corrected time,
--        message key) the k-th terminal of a pair closes its k-th start. So a pair has max(starts, terminals)
--        attempts: a start left over is open, a terminal left over an orphan.
-- Reads: the stages accepted and refused. One sort, in which a pair's starts stand before its terminals: the terminal
--        of a start is found as many rows further on as the pair has starts.
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
    happened_at,
    ci,
    version,
    application_hash,
    outcome,
    CASE
        WHEN outcome <> 'failed' THEN NULL
        WHEN exception_class IN (
            -- PyAirbyteInputError and its subclasses in PyAirbyte's exceptions.py, and their names up to 0.7
            'PyAirbyteInputError', 'PyAirbyteNoStreamsSelectedError', 'AirbyteNoCloudCredentialsError',
            'AirbyteMissingWorkspaceContextError', 'AirbyteLibInputError', 'AirbyteLibNoStreamsSelectedError',
            'AirbyteConnectorValidationFailedError', 'AirbyteConnectorCheckFailedError',
            'AirbyteConnectorConfigurationMissingError', 'AirbyteStreamNotFoundError',
            'PyAirbyteSecretNotFoundError', 'AirbyteLibSecretNotFoundError'
        ) THEN 'config'
        WHEN exception_class = 'AirbyteConnectorWriteError' THEN 'destination'
        WHEN exception_class IN (
            'PyAirbyteInternalError', 'PyAirbyteCacheError', 'PyAirbyteCacheTableValidationError',
            'PyAirbyteNameNormalizationError', 'AirbyteLibInternalError', 'AirbyteLibCacheError',
            'AirbyteLibCacheTableValidationError'
        ) THEN 'pyairbyte'
        WHEN exception_class LIKE 'AirbyteConnector%' THEN 'connector'
        ELSE 'other'
    END AS failure_class,
    CASE WHEN outcome = 'succeeded' THEN number_of_records END AS number_of_records,
    NOT is_start AS orphan,
    refused,
    latest + interval '24 hours' AS settles_at
FROM (
    SELECT
        bucket,
        unit,
        session_key,
        source_name,
        destination_name,
        lane,
        happened_at,
        ci,
        version,
        application_hash,
        is_start,
        starts,
        place,
        latest,
        CASE WHEN is_start THEN coalesce(lead(state, starts) OVER pair, 'open') ELSE state END AS outcome,
        CASE WHEN is_start THEN lead(exception_class, starts) OVER pair ELSE exception_class END AS exception_class,
        CASE WHEN is_start THEN lead(number_of_records, starts) OVER pair ELSE number_of_records END
            AS number_of_records,
        refused OR (is_start AND coalesce(lead(refused, starts) OVER pair, false)) AS refused
    FROM (
        SELECT
            signals.*,
            row_number() OVER pair AS place,
            CAST(count(*) FILTER (WHERE is_start) OVER whole_pair AS integer) AS starts,
            max(happened_at) OVER whole_pair AS latest
        FROM (
            SELECT
                both_tables.*,
                state = 'started' AS is_start,
                CASE WHEN session_key IS NULL THEN message_key END AS alone
            FROM (SELECT * FROM accepted UNION ALL SELECT * FROM refused) AS both_tables
        ) AS signals
        WINDOW
            whole_pair AS (PARTITION BY session_key, alone, bucket, unit, source_name, destination_name, lane),
            pair AS (whole_pair ORDER BY is_start DESC, happened_at, message_key)
    ) AS placed
    WINDOW pair AS (
        PARTITION BY session_key, alone, bucket, unit, source_name, destination_name, lane
        ORDER BY is_start DESC, happened_at, message_key
    )
) AS matched
WHERE is_start OR place > 2 * starts
