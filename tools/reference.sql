-- The SQL reference as Markdown, from the catalogue and its comments, of the database connected to,
-- which needs the extension. Used by tools/reference.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
SET client_min_messages = error;
-- names of ours and of PostGIS without their schemas, wherever PostGIS is
SELECT set_config('search_path', format('swarm_reward, swarm_reward_internal, %I', extnamespace::regnamespace), false) FROM pg_extension WHERE extname = 'postgis' \g /dev/null

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, obj_description(d.objid, d.classid::regclass::name) AS comment,
	coalesce((SELECT p.pronamespace FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid), (SELECT t.typnamespace FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid),
		(SELECT c.relnamespace FROM pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid))::regnamespace::text AS schema
FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid AND x.extname = 'swarm_reward'
WHERE d.deptype = 'e';

-- a cell of a Markdown table
CREATE FUNCTION pg_temp.cell(t text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT regexp_replace(regexp_replace(coalesce(t, ''), E'\\s*\\n\\s*', ' ', 'g'), '([|<*_])', '\\\1', 'g') $$;
-- a paragraph: what could be mark-up or a tag is not
CREATE FUNCTION pg_temp.paragraph(t text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT regexp_replace(coalesce(t, ''), '([<*_])', '\\\1', 'g') $$;

-- what functions are for, where the catalogue says so
CREATE TEMP VIEW machinery AS
SELECT t.typinput::oid AS oid FROM pg_type t UNION SELECT t.typoutput FROM pg_type t UNION SELECT t.typreceive FROM pg_type t UNION SELECT t.typsend FROM pg_type t
UNION SELECT unnest(ARRAY[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]::oid[]) FROM pg_aggregate a
UNION SELECT o.oprcode FROM pg_operator o UNION SELECT a.amproc FROM pg_amproc a
UNION SELECT p.prosupport FROM pg_proc p UNION SELECT p.oid FROM pg_proc p WHERE p.prorettype = 'trigger'::regtype;

CREATE TEMP VIEW routine AS
SELECT p.oid, p.proname, p.prokind, m.comment, m.schema, m2.oid IS NOT NULL AS is_machinery,
	format('%s(%s)', p.proname, pg_get_function_arguments(p.oid)) AS signature,
	pg_get_function_result(p.oid) AS result,
	concat_ws(', ', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' END,
		CASE WHEN p.prokind = 'f' AND p.proisstrict THEN 'strict' END,
		CASE WHEN p.proparallel = 's' THEN 'parallel safe' END,
		CASE WHEN p.prosecdef THEN 'security definer' END,
		CASE WHEN NOT coalesce((SELECT bool_or(a.grantee = 0) FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a), false) THEN 'not for PUBLIC' END) AS properties
FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid LEFT JOIN machinery m2 ON m2.oid = p.oid
-- the constructors of a range type come with it
WHERE NOT EXISTS (SELECT FROM pg_depend i WHERE (i.classid, i.objid, i.deptype) = (m.classid, m.objid, 'i'));

CREATE FUNCTION pg_temp.entry(signature text, result text, properties text, comment text) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT concat(E'#### `', signature, '`', CASE WHEN result IS NOT NULL AND result <> 'record' THEN E' → `' || result || '`' END, E'\n\n',
	pg_temp.paragraph(comment), CASE WHEN properties <> '' THEN E'  \n*' || properties || '*' END, E'\n') $$;

CREATE FUNCTION pg_temp.columns(relation oid) RETURNS text LANGUAGE sql STABLE AS
$$
	SELECT E'| column | type | |\n|---|---|---|\n' || string_agg(format(E'| `%s` | `%s`%s | %s |', a.attname, format_type(a.atttypid, a.atttypmod),
		CASE WHEN c.relkind <> 'v' AND NOT a.attnotnull THEN ', may be NULL' ELSE '' END ||
		CASE WHEN a.attidentity <> '' THEN ', numbered by default' WHEN a.attgenerated <> '' THEN ', generated'
			WHEN d.adbin IS NOT NULL THEN ', default `' || pg_get_expr(d.adbin, d.adrelid) || '`' ELSE '' END,
		pg_temp.cell(col_description(c.oid, a.attnum))), E'\n' ORDER BY a.attnum) || E'\n'
	FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		LEFT JOIN pg_attrdef d ON (d.adrelid, d.adnum) = (a.attrelid, a.attnum)
	WHERE c.oid = relation
$$;

CREATE FUNCTION pg_temp.keys(relation oid) RETURNS text LANGUAGE sql STABLE AS
$$
	SELECT string_agg(format(E'- `%s`', pg_get_constraintdef(k.oid)), E'\n'
		ORDER BY position(k.contype IN 'pufxc'), k.conname COLLATE "C") || E'\n'
	FROM pg_constraint k WHERE k.conrelid = relation AND k.contype IN ('p', 'u', 'f', 'x', 'c')
$$;

\qecho '# SQL reference'
\qecho
\qecho 'Written by `tools/reference` from the comments in the catalogue: change the comment, not this file. `\\d+`, `\\df+` and `\\dT+` show the same.'
\qecho 'NULL means unknown; money is in base units, distances in metres, latencies in milliseconds. [Part one](#part-one-for-users) is for users; [part two](#part-two-inside) is for who'
\qecho 'works on the extension: nothing in it is to be called, read or relied upon.'
\qecho
\qecho '# Part one: for users'
\qecho
\qecho 'Everything here is in schema `swarm_reward`.'
\qecho
\set schema swarm_reward
\ir reference-schema.sql

\qecho '### Operators'
\qecho
\qecho '| operator | result | |'
\qecho '|---|---|---|'
SELECT format('| `%s` | `%s` | %s |', concat_ws(' ', CASE WHEN o.oprleft <> 0 THEN format_type(o.oprleft, NULL) END, o.oprname, format_type(o.oprright, NULL)),
	format_type(o.oprresult, NULL), pg_temp.cell(m.comment))
FROM member m JOIN pg_operator o ON m.classid = 'pg_operator'::regclass AND o.oid = m.objid
ORDER BY o.oprname COLLATE "C", format_type(o.oprleft, NULL) COLLATE "C", format_type(o.oprright, NULL) COLLATE "C";
\qecho

\qecho '# Part two: inside'
\qecho
\qecho 'Schema `swarm_reward_internal`: the tables, functions and triggers that the public ones are made of.'
\qecho
\set schema swarm_reward_internal
\ir reference-schema.sql

\qecho '### Machinery'
\qecho
\qecho 'Nothing to call: input and output of types, parts of aggregates, what operators and triggers run.'
\qecho
\qecho '| function | |'
\qecho '|---|---|'
SELECT format('| `%s` | %s |', signature, pg_temp.cell(comment)) FROM routine WHERE prokind = 'f' AND is_machinery ORDER BY signature COLLATE "C";
