SELECT citus_set_coordinator_host('db-0', 5432);
SELECT citus_add_node('db-1', 5432);
SELECT citus_add_node('db-2', 6432);
SELECT create_reference_table('dropped_ranges');
SELECT create_reference_table('environments');
SELECT create_reference_table('failures');
SELECT create_reference_table('routes');
SELECT create_reference_table('tombstones');
SELECT create_distributed_table('events', 'bucket', shard_count => 64);
SELECT create_distributed_table('attempts', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('connector_days', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('dirty_sessions', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('outcomes', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('quarantined_sessions', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('rejections', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('tallies', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('unit_days', 'bucket', colocate_with => 'events');
SELECT create_distributed_table('units', 'bucket', colocate_with => 'events');
SELECT truncate_local_data_after_distributing_table('dropped_ranges');
SELECT truncate_local_data_after_distributing_table('environments');
SELECT truncate_local_data_after_distributing_table('failures');
SELECT truncate_local_data_after_distributing_table('routes');
SELECT truncate_local_data_after_distributing_table('tombstones');
SELECT truncate_local_data_after_distributing_table('events');
SELECT truncate_local_data_after_distributing_table('attempts');
SELECT truncate_local_data_after_distributing_table('connector_days');
SELECT truncate_local_data_after_distributing_table('dirty_sessions');
SELECT truncate_local_data_after_distributing_table('outcomes');
SELECT truncate_local_data_after_distributing_table('quarantined_sessions');
SELECT truncate_local_data_after_distributing_table('rejections');
SELECT truncate_local_data_after_distributing_table('tallies');
SELECT truncate_local_data_after_distributing_table('unit_days');
SELECT truncate_local_data_after_distributing_table('units');
-- On a cluster: lets whoever may read a view of schema `report` read it there, too. Citus asks the shards as
-- who asks, not as the view's owner, and no reader may be given the shards. So what a view asks becomes a
-- function that runs as its owner, and the view asks the function. Nobody has USAGE on the schema of the
-- functions, so that they are called by the views only. Views that ask no distributed table, or a function
-- already, stay.
DO $$
DECLARE
    one record;
BEGIN
    PERFORM set_config('search_path', '', true);  -- so that each name is written out with its schema
    CREATE SCHEMA IF NOT EXISTS report_owner;
    FOR one IN
        SELECT
            v.relname AS name,
            pg_get_viewdef(v.oid) AS query,
            string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS names,
            string_agg(
                format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum
            ) AS columns
        FROM pg_class AS v
        JOIN pg_namespace AS n ON n.oid = v.relnamespace AND n.nspname = 'report'
        JOIN pg_attribute AS a ON a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE v.relkind = 'v' AND EXISTS (
            SELECT FROM pg_rewrite AS r
            JOIN pg_depend AS d ON d.classid = CAST('pg_rewrite' AS regclass) AND d.objid = r.oid
            JOIN public.citus_tables AS t ON CAST(t.table_name AS oid) = d.refobjid
            WHERE r.ev_class = v.oid
        )
        GROUP BY v.oid, v.relname
        ORDER BY v.relname
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS report_owner.%I()', one.name);
        EXECUTE format(
            'CREATE FUNCTION report_owner.%I() RETURNS TABLE (%s) LANGUAGE sql STABLE SECURITY DEFINER '
            'SET search_path = pg_catalog, pg_temp AS %L', one.name, one.columns, one.query
        );
        EXECUTE format(
            'CREATE OR REPLACE VIEW report.%I AS SELECT %s FROM report_owner.%I()',
            one.name, one.names, one.name
        );
    END LOOP;
END $$;
