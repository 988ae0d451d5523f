-- What the attempts are made of, as a step of its own: reference tables are joined to no table of this
-- connection. Grain: that of `signals`. Reads: the table `signals` of this connection.
SELECT
    bucket, session_key, message_key, unit, application_hash, happened_at, occurred_at, number_of_records,
    event, state, corrected, first_run, refused, ci, lane, source_name, source_version, destination_name,
    destination_version, cache_type, version,
    python_version, os, notebook_runtime, source_executor_type, destination_executor_type, exception_class
FROM signals
