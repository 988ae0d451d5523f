-- The tables of one connection in which a recomputation takes shape; empty between transactions.
CREATE TEMPORARY TABLE IF NOT EXISTS marks (
    bucket smallint NOT NULL,
    session_key bigint,
    message_key bigint,
    lower timestamptz NOT NULL,
    upper timestamptz NOT NULL,
    late boolean NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS signals (
    bucket smallint NOT NULL,
    session_key bigint NOT NULL,
    message_key bigint NOT NULL,
    unit bigint NOT NULL,
    application_hash bigint NOT NULL,
    happened_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    setup bigint,
    number_of_records bigint,
    event event_name NOT NULL,
    state event_state NOT NULL,
    corrected boolean NOT NULL,
    first_run boolean NOT NULL,
    crowded boolean NOT NULL,
    write_key smallint NOT NULL,
    refused boolean NOT NULL,
    ci boolean NOT NULL,
    lane text NOT NULL,
    source_name text NOT NULL,
    source_version text NOT NULL,
    destination_name text NOT NULL,
    destination_version text NOT NULL,
    cache_type text NOT NULL,
    version text NOT NULL,
    python_version text NOT NULL,
    os text NOT NULL,
    notebook_runtime text NOT NULL,
    source_executor_type text NOT NULL,
    destination_executor_type text NOT NULL,
    exception_class text
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS contributions (
    session_key bigint NOT NULL,
    unit bigint NOT NULL,
    application_hash bigint NOT NULL,
    day_key bigint NOT NULL,
    settles_at timestamptz NOT NULL,
    records bigint NOT NULL,
    day date NOT NULL,
    route integer NOT NULL,
    environment integer NOT NULL,
    times integer NOT NULL,
    bucket smallint NOT NULL,
    failure smallint NOT NULL,
    kind smallint NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS retracted (
    unit bigint NOT NULL,
    application_hash bigint NOT NULL,
    day_key bigint NOT NULL,
    records bigint NOT NULL,
    day date NOT NULL,
    route integer NOT NULL,
    environment integer NOT NULL,
    times integer NOT NULL,
    bucket smallint NOT NULL,
    failure smallint NOT NULL,
    kind smallint NOT NULL
) ON COMMIT DELETE ROWS;
