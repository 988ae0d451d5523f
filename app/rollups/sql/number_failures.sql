-- Gives new exception classes their numbers: the definition of the failure classes.
-- Grain: one row an exception class, the empty one for failures that named none. Index:
-- failures_exception_class_key. Reads: the table `signals` of this connection.
WITH reported AS MATERIALIZED (SELECT DISTINCT exception_class FROM signals WHERE exception_class IS NOT NULL)
INSERT INTO failures (exception_class, failure_class)
SELECT
    exception_class,
    CASE
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
    END
FROM reported AS s
WHERE NOT EXISTS (SELECT 1 FROM failures AS f WHERE f.exception_class = s.exception_class)
ORDER BY exception_class
ON CONFLICT DO NOTHING
