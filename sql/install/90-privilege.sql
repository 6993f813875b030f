-- Least privilege: nothing of the ledger is for PUBLIC. The kernel is: it is
-- made of functions of their arguments.
DO $$
DECLARE
	o record;
BEGIN
	FOR o IN
		SELECT c.oid::regclass AS name FROM pg_class c
		WHERE c.relnamespace = '@extschema@'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'S')
	LOOP
		EXECUTE format('REVOKE ALL ON %s FROM PUBLIC', o.name);
	END LOOP;
	-- functions and procedures that write, or that run with the owner's rights: whoever
	-- marks a function as not VOLATILE has promised that it does not
	FOR o IN
		SELECT p.oid::regprocedure AS name FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
		WHERE p.pronamespace = '@extschema@'::regnamespace
			AND (p.prosecdef OR p.prokind = 'p' OR (p.provolatile = 'v' AND l.lanname IN ('plpgsql', 'sql')))
	LOOP
		EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', o.name);
	END LOOP;
END $$;
