-- All that the extension has in the catalogues, a line each, without oids: two databases whose
-- listings are the same have the same extension.
\pset format unaligned
\pset tuples_only true
SET search_path = swarm_reward, public;
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'swarm_reward' AND d.deptype = 'e';
CREATE TEMP VIEW relation AS SELECT c.* FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid;

SELECT 'member ' || pg_describe_object(m.classid, m.objid, 0) || ': ' || coalesce(obj_description(m.objid, c.relname), 'no comment')
FROM member m JOIN pg_class c ON c.oid = m.classid ORDER BY 1;
SELECT concat_ws(' ', 'function', p.oid::regprocedure, p.prokind, md5(CASE WHEN p.prokind IN ('f', 'p') THEN pg_get_functiondef(p.oid) ELSE '' END), p.procost, p.prorows, p.prosupport,
	coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(p.proacl) a), 'default'))
FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid ORDER BY 1;
SELECT 'aggregate ' || a.aggfnoid::regprocedure || ' ' || concat_ws(' ', a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggtranstype::regtype, a.aggtransspace, a.aggfinalmodify)
FROM pg_aggregate a JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = a.aggfnoid ORDER BY 1;
SELECT concat_ws(' ', 'relation', r.relname, r.relkind, r.relreplident, r.relrowsecurity, r.relforcerowsecurity, r.reloptions, pg_get_partkeydef(r.oid),
	coalesce((SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(r.relacl) a), 'default'), CASE WHEN r.relkind = 'v' THEN md5(pg_get_viewdef(r.oid)) END)
FROM relation r ORDER BY 1;
SELECT concat_ws(' ', 'column', r.relname || '.' || a.attname, row_number() OVER (PARTITION BY r.oid ORDER BY a.attnum), format_type(a.atttypid, a.atttypmod), a.attnotnull,
	a.attidentity, a.attgenerated, a.attstorage, a.attcompression, a.attcollation::regcollation, pg_get_expr(d.adbin, d.adrelid), a.attacl, coalesce(col_description(r.oid, a.attnum), 'no comment'))
FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped LEFT JOIN pg_attrdef d ON d.adrelid = r.oid AND d.adnum = a.attnum
WHERE r.relkind <> 'S' ORDER BY 1;
SELECT 'constraint ' || coalesce(r.relname::text, t.typname::text) || ' ' || c.conname || ' ' || pg_get_constraintdef(c.oid)
FROM pg_constraint c LEFT JOIN relation r ON r.oid = c.conrelid LEFT JOIN pg_type t ON t.oid = c.contypid AND t.typnamespace = 'swarm_reward'::regnamespace
WHERE r.oid IS NOT NULL OR t.oid IS NOT NULL ORDER BY 1;
SELECT 'index ' || pg_get_indexdef(i.indexrelid) || ' ' || i.indisreplident FROM pg_index i JOIN relation r ON r.oid = i.indrelid ORDER BY 1;
SELECT concat_ws(' ', 'trigger', pg_get_triggerdef(t.oid), t.tgenabled, obj_description(t.oid, 'pg_trigger')) FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal ORDER BY 1;
SELECT 'row policy ' || p.tablename || ' ' || p.policyname || ' ' || p.permissive || ' ' || p.cmd || ' ' || p.roles::text || ' ' || coalesce(p.qual, '') || ' ' || coalesce(p.with_check, '') FROM pg_policies p WHERE p.schemaname = 'swarm_reward' ORDER BY 1;
SELECT 'sequence ' || s.seqrelid::regclass || ' ' || concat_ws(' ', s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle) FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE c.relnamespace = 'swarm_reward'::regnamespace ORDER BY 1;
SELECT 'dumped ' || c.oid::regclass || ' ' || c.condition FROM pg_extension e, unnest(e.extconfig, e.extcondition) c (oid, condition) WHERE e.extname = 'swarm_reward' ORDER BY 1;
-- what it ships
CREATE FUNCTION pg_temp.rows_of(t regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows text;
BEGIN
	EXECUTE format('SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s t', t) INTO rows;
	RETURN rows;
END $$;
SELECT concat_ws(' ', 'rows', r.relname, pg_temp.rows_of(r.oid)) FROM relation r WHERE r.relkind = 'r' ORDER BY 1;
