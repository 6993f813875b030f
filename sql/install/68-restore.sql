-- Restoring a dump with several jobs, and what to ask afterwards.
--
-- The tables of an extension have their foreign keys and triggers from CREATE
-- EXTENSION on, before there are rows, and pg_dump writes no dependencies between
-- the data of such tables: the jobs of pg_restore -j load rewards before the
-- epoch they belong to. With any other table pg_restore makes keys and triggers
-- after the data. So what it brings here is taken as it was dumped as well.

CREATE FUNCTION take_as_dumped() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	-- until the transaction ends, which brings one table's data
	PERFORM set_config('session_replication_role', 'replica', true);
	RETURN NULL;
END $$;
COMMENT ON FUNCTION take_as_dumped() IS
'trigger: rows that pg_restore brings as a superuser are taken in any order, as pg_restore --disable-triggers would, as no other trigger and no foreign key of the table fires for them. Verify afterwards, with verify_references() and verify_epoch()';

-- A foreign key is triggers too, so these are the tables where an insert can be refused
-- or has effects. The name comes before those of all other triggers.
DO $$
DECLARE
	t regclass;
BEGIN
	FOR t IN
		SELECT c.oid FROM pg_extension x JOIN pg_class c ON c.oid = ANY (x.extconfig)
		WHERE x.extname = 'swarm_reward' AND c.relkind = 'r'
			AND EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = c.oid AND g.tgtype & 4 <> 0)
	LOOP
		EXECUTE format($q$CREATE TRIGGER as_dumped BEFORE INSERT ON %s FOR EACH STATEMENT
			WHEN (current_setting('application_name') = 'pg_restore' AND current_setting('is_superuser') = 'on') EXECUTE FUNCTION take_as_dumped()$q$, t);
	END LOOP;
END $$;

CREATE FUNCTION verify_references() RETURNS TABLE (relation regclass, foreign_key name, missing bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET jit = off SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	counting text;
BEGIN
	FOR relation, foreign_key, counting IN
		SELECT k.conrelid, k.conname, format('SELECT count(*) FROM %s c WHERE (%s) AND NOT EXISTS (SELECT FROM %s p WHERE %s)',
			k.conrelid::regclass, j.given, k.confrelid::regclass, j.found)
		FROM pg_constraint k,
			LATERAL (SELECT string_agg(format('c.%I IS NOT NULL', a.attname), CASE k.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END) AS given,
				string_agg(format('p.%I OPERATOR(%s.%s) c.%I', b.attname, o.oprnamespace::regnamespace, o.oprname, a.attname), ' AND ') AS found
				FROM unnest(k.conkey, k.confkey, k.conpfeqop) u (own, other, equal)
					JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
					JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.other
					JOIN pg_operator o ON o.oid = u.equal) j
		WHERE k.contype = 'f' AND k.conrelid IN (
			SELECT d.objid FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid
			WHERE x.extname = 'swarm_reward' AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
			UNION ALL SELECT t.relid FROM pg_partition_tree('@extschema@.telemetry') t
			UNION ALL SELECT t.relid FROM pg_partition_tree('@extschema@.telemetry_hour') t)
		ORDER BY k.conrelid::regclass::text, k.conname
	LOOP
		EXECUTE counting INTO missing;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_references() IS
'for each foreign key of the tables of the extension and of the partitions of telemetry and telemetry_hour, how many rows refer to a row that is not there; 0: all is well. Rows that refer to nothing by NULL are not counted. For after a restore, and after whatever else was written with foreign keys switched off; reads all rows of these tables, with the rights of the owner';
