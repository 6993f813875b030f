-- Logical replication: what has no primary key, but several partial keys, or
-- is a queue, is known by the whole row. Without an identity for their rows a
-- publication FOR ALL TABLES would make every recomputation of an epoch fail,
-- because it deletes what was there.
DO $$
DECLARE
	t regclass;
BEGIN
	FOR t IN
		SELECT c.oid FROM pg_class c
		WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind = 'r' AND c.relreplident = 'd' AND c.relpersistence = 'p'
			AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
	LOOP
		EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', t);
	END LOOP;
END $$;
