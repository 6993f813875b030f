-- The partitions of an epoch: made by a query, keyed, attached.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION epoch_table(relation text, epoch_id bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT format('swarm_reward_internal.%I', relation || '_' || epoch_id);
END;
COMMENT ON FUNCTION epoch_table(text, bigint) IS 'qualified name of the table that holds what an epoch has of a relation. NULL for NULL';

CREATE FUNCTION drop_epoch_table(relation text, epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF to_regclass(epoch_table(relation, epoch_id)) IS NOT NULL THEN
		EXECUTE format('DROP TABLE %s', epoch_table(relation, epoch_id));
	END IF;
END $$;
COMMENT ON FUNCTION drop_epoch_table(text, bigint) IS 'drops the table of a relation for an epoch, where there is one';

CREATE FUNCTION is_attached(relation text, epoch_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
BEGIN
	RETURN EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = to_regclass(epoch_table(relation, epoch_id)));
END $$;
COMMENT ON FUNCTION is_attached(text, bigint) IS 'is the table of a relation for an epoch a partition that others read? NULL for NULL';

-- A server groups rows for many nodes in one process, whatever others have sorted for it. In shares by node, which have
-- no node in common, one process does all for a share.
CREATE FUNCTION is_share(share int, shares int, key bigint) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_is_share' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION is_share(int, int, bigint) IS 'does a key belong to this of so many shares, numbered from 0? NULL for NULL; errors: shares below 1';

CREATE FUNCTION in_shares(query text, shares int) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
	-- E, as a session may have backslashes mean something else
	SELECT string_agg(regexp_replace(query, E'\\{share ([^}]*)\\}', CASE WHEN shares > 1 THEN format(E'is_share(%s, %s, \\1)', s - 1, shares) ELSE 'true' END, 'g'), ' UNION ALL ')
	FROM generate_series(1, greatest(shares, 1)) s
$$;
COMMENT ON FUNCTION in_shares(text, int) IS 'the whole of a query in which {share key} stands for a condition, as that of its shares: so many, or one. NULL for no query';

CREATE FUNCTION fill_table(target regclass, query text, regions region_list) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_fill_table' LANGUAGE c;
COMMENT ON FUNCTION fill_table(regclass, text, region_list) IS
'puts the rows of a query, in which $1 is regions, into a table, many at a time and while parallel workers compute more, and returns their number. NULL for a table or query that is NULL. Errors: a table that this transaction has not made, that is a partition, or has an index, a constraint, a trigger, a rule or a policy; other columns than those of the query; no right to insert';

-- A few hundred rows say enough for the plans of the steps that follow.
CREATE FUNCTION make_epoch_table(relation text, epoch_id bigint, query text, regions region_list DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET default_statistics_target = 2 AS $$
DECLARE
	again boolean := is_attached(relation, epoch_id);
	child text := epoch_table(CASE WHEN again THEN relation || '_again' ELSE relation END, epoch_id);
	made bigint;
	columns text;
BEGIN
	PERFORM drop_epoch_table(CASE WHEN again THEN relation || '_again' ELSE relation END, epoch_id);
	-- Not UNLOGGED: after a crash soon after a rollback a server would not start, as its recovery meets files that the rollback left.
	EXECUTE format('CREATE TABLE %s AS %s WITH NO DATA', child, query) USING regions;
	made := fill_table(child::regclass, query, regions);
	IF again THEN
		-- Its rows take the place of those that an earlier computation left, which others read until
		-- this one ends: to drop their partition would keep everybody waiting until then.
		SELECT string_agg(quote_ident(a.attname), ', ') INTO columns FROM pg_attribute a WHERE a.attrelid = child::regclass AND a.attnum > 0;
		EXECUTE format('DELETE FROM %s', epoch_table(relation, epoch_id));
		EXECUTE format('INSERT INTO %s (%s) SELECT %2$s FROM %3$s', epoch_table(relation, epoch_id), columns, child);
		EXECUTE format('DROP TABLE %s', child);
		child := epoch_table(relation, epoch_id);
	END IF;
	-- statistics for the plans of what comes next; none depends on places and summaries
	SELECT string_agg(quote_ident(a.attname), ', ') INTO columns
	FROM pg_attribute a WHERE a.attrelid = child::regclass AND a.attnum > 0
		AND a.atttypid IN ('bigint'::regtype, 'int'::regtype, 'text'::regtype, 'code'::regtype, 'double precision'::regtype, 'boolean'::regtype);
	EXECUTE format('ANALYZE %s (%s)', child, columns);
	RETURN made;
END $$;
COMMENT ON FUNCTION make_epoch_table(text, bigint, text, region_list) IS
'makes the table of a relation for an epoch, or one of the steps to it, from a query, in which $1 is regions, in the place of one that is there; in a partition that others read it replaces the rows. Returns their number';

-- None looks at a part of a table: a process takes a share or none.
CREATE FUNCTION make_epoch_table_in_shares(relation text, epoch_id bigint, query text) RETURNS bigint
LANGUAGE sql SET search_path FROM CURRENT SET min_parallel_table_scan_size = 715827882 AS $$
	-- every one of them reads all rows to find its own: for more than eight that takes as long as it saves
	SELECT make_epoch_table(relation, epoch_id, in_shares(query, least(current_setting('max_parallel_workers_per_gather')::int, current_setting('max_parallel_workers')::int, 8)))
$$;
COMMENT ON FUNCTION make_epoch_table_in_shares(text, bigint, text) IS 'make_epoch_table by a query in shares, as many as it may have workers, eight at most, each computed by one process';

CREATE FUNCTION attach_epoch_table(relation text, epoch_id bigint, key text, is_unique boolean) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	child text := epoch_table(relation, epoch_id);
	not_null text;
BEGIN
	IF is_attached(relation, epoch_id) THEN
		RETURN;
	END IF;
	-- what the parent demands of its partitions; the check spares ATTACH a look at every row
	SELECT string_agg(format('ALTER COLUMN %I SET NOT NULL', a.attname), ', ') INTO not_null
	FROM pg_attribute a WHERE a.attrelid = relation::regclass AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped;
	-- pages are filled: no row comes later
	EXECUTE format('ALTER TABLE %s %s, ADD CONSTRAINT epoch CHECK (epoch_id = %s) %s', child, not_null, epoch_id, CASE WHEN is_unique THEN format(', ADD PRIMARY KEY (%s) WITH (fillfactor = 100)', key) END);
	IF NOT is_unique THEN
		EXECUTE format('CREATE INDEX ON %s (%s) WITH (fillfactor = 100)', child, key);
	END IF;
	EXECUTE format('ALTER TABLE %I ATTACH PARTITION %s FOR VALUES IN (%s)', relation, child, epoch_id);
	EXECUTE format('ALTER TABLE %s DROP CONSTRAINT epoch', child);
END $$;
COMMENT ON FUNCTION attach_epoch_table(text, bigint, text, boolean) IS 'gives the table of a relation for an epoch its key and attaches it, unless it is attached';

-- Where a node has several rows its number alone is the key: an index that holds it once for all of them takes a
-- third of one with the kind of each. That a node has one row for each kind comes from how they are made, by GROUP BY.
CREATE FUNCTION epoch_relation() RETURNS TABLE (relation text, key text, is_unique boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT * FROM (VALUES ('epoch_node', 'node_id', true), ('epoch_node_resource', 'node_id', false), ('epoch_node_service', 'node_id', false),
		('epoch_owner_rest', 'owner, resource_type, kind', true), ('reward', 'node_id', false)) v (relation, key, is_unique);
END;
COMMENT ON FUNCTION epoch_relation() IS 'the relations of which each epoch has a partition, with the key of that, and whether it is unique';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
