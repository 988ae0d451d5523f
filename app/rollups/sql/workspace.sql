-- The tables of one connection in which a recomputation takes shape; empty between transactions.
CREATE TEMPORARY TABLE IF NOT EXISTS marks (
    bucket smallint NOT NULL,
    session_key uuid,
    message_key uuid,
    lower timestamptz NOT NULL,
    upper timestamptz NOT NULL,
    late boolean NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS contributions (
    bucket smallint NOT NULL,
    session_key uuid NOT NULL,
    day date NOT NULL,
    unit uuid NOT NULL,
    application_hash uuid NOT NULL,
    event text NOT NULL,
    lane text NOT NULL,
    source_name text NOT NULL,
    source_version text NOT NULL,
    destination_name text NOT NULL,
    destination_version text NOT NULL,
    cache_type text NOT NULL,
    ci boolean NOT NULL,
    prerelease boolean NOT NULL,
    version text NOT NULL,
    python_version text NOT NULL,
    os text NOT NULL,
    notebook_runtime text NOT NULL,
    source_executor_type text NOT NULL,
    destination_executor_type text NOT NULL,
    exception_class text,
    settles_at timestamptz NOT NULL,
    records bigint NOT NULL,
    succeeded integer NOT NULL,
    failed integer NOT NULL,
    canceled integer NOT NULL,
    open integer NOT NULL,
    orphans integer NOT NULL,
    from_ledger integer NOT NULL,
    first_runs integer NOT NULL,
    corrected integer NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS numbered (LIKE attempts) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS retracted (LIKE unit_days) ON COMMIT DELETE ROWS;
