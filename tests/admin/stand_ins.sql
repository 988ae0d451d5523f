-- What `distribute` calls of Citus, in a plain database: each call is written down and shown in
-- the views that Citus has.
CREATE TABLE calls (number bigint GENERATED ALWAYS AS IDENTITY, said text NOT NULL);
CREATE TABLE citus_tables (table_name regclass PRIMARY KEY, citus_table_type text NOT NULL);
CREATE TABLE pg_dist_node (nodename text, nodeport integer, groupid integer,
    shouldhaveshards boolean NOT NULL DEFAULT true, noderole text NOT NULL DEFAULT 'primary',
    PRIMARY KEY (nodename, nodeport));
CREATE TABLE citus_shards (shardid bigint, nodename text, nodeport integer, citus_table_type text,
    shard_size bigint);
CREATE FUNCTION run_command_on_all_nodes(command text) RETURNS TABLE (success boolean, result text)
LANGUAGE plpgsql AS $$
DECLARE reported text;
BEGIN
    EXECUTE command INTO reported;
    RETURN QUERY SELECT true, reported;
END $$;
CREATE FUNCTION citus_version() RETURNS text LANGUAGE sql AS $$
    SELECT 'Citus 13.2.2 on x86_64-pc-linux-gnu' $$;
CREATE FUNCTION citus_set_coordinator_host(host text, port integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (said) VALUES (format('coordinator %s:%s', host, port));
    INSERT INTO pg_dist_node VALUES (host, port, 0);
$$;
CREATE FUNCTION citus_add_node(host text, port integer) RETURNS integer LANGUAGE sql AS $$
    INSERT INTO calls (said) VALUES (format('node %s:%s', host, port));
    INSERT INTO pg_dist_node SELECT host, port, max(groupid) + 1 FROM pg_dist_node;
    SELECT 1;
$$;
CREATE TABLE silent_nodes (nodename text PRIMARY KEY);
CREATE FUNCTION citus_check_connection_to_node(host text, port integer) RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS (SELECT FROM silent_nodes WHERE nodename = host);
$$;
CREATE FUNCTION create_reference_table(name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (said) VALUES (format('reference %s', name));
    INSERT INTO citus_tables VALUES (name, 'reference');
$$;
-- Waits for the test, which may hold this lock, so that a command can be killed in its midst.
CREATE FUNCTION create_distributed_table(
    name regclass, key text, shard_count integer DEFAULT NULL, colocate_with text DEFAULT NULL
) RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(4711) WHERE name = CAST('outcomes' AS regclass);
    INSERT INTO calls (said) VALUES (
        format('distributed %s by %s, %s', name, key, coalesce(shard_count::text, colocate_with))
    );
    INSERT INTO citus_tables VALUES (name, 'distributed');
$$;
CREATE FUNCTION truncate_local_data_after_distributing_table(name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO calls (said) SELECT format('emptied %s', name) FROM citus_tables WHERE table_name = name;
$$;
