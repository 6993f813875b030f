-- One part of the reference: what of the extension is in :schema. Included by reference.sql.

\qecho '### Types'
\qecho
SELECT format(E'#### `%s`%s\n\n%s\n', t.typname, CASE t.typtype WHEN 'd' THEN format(E' (domain over `%s`)', format_type(t.typbasetype, t.typtypmod)) WHEN 'r' THEN ' (range)' ELSE '' END,
	pg_temp.paragraph(m.comment))
FROM member m JOIN pg_type t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
-- arrays, multiranges and the rows of tables come with other types; since 17 they are members too
WHERE m.schema = :'schema' AND t.typtype <> 'm' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid) AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c')
ORDER BY t.typname COLLATE "C";

\qecho '### Aggregates'
\qecho
SELECT pg_temp.entry(signature, result, properties, comment) FROM routine WHERE schema = :'schema' AND prokind = 'a' ORDER BY signature COLLATE "C";

\qecho '### Window functions'
\qecho
SELECT pg_temp.entry(signature, result, properties, comment) FROM routine WHERE schema = :'schema' AND prokind = 'w' ORDER BY signature COLLATE "C";

\qecho '### Functions'
\qecho
SELECT pg_temp.entry(signature, result, properties, comment) FROM routine WHERE schema = :'schema' AND prokind = 'f' AND NOT is_machinery ORDER BY signature COLLATE "C";

\qecho '### Procedures'
\qecho
SELECT pg_temp.entry(signature, result, properties, comment) FROM routine WHERE schema = :'schema' AND prokind = 'p' ORDER BY signature COLLATE "C";

\qecho '### Tables'
\qecho
SELECT concat(format(E'#### `%s`\n\n%s\n\n%s', c.relname, pg_temp.paragraph(m.comment), pg_temp.columns(c.oid)), E'\n' || pg_temp.keys(c.oid),
	(SELECT E'\n' || string_agg(format(E'- trigger `%s`: `%s()`', t.tgname, t.tgfoid::regproc), E'\n' ORDER BY t.tgname COLLATE "C") || E'\n'
		FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
	(SELECT E'\n' || string_agg(format(E'- row-level security `%s`%s: `%s`', y.polname, coalesce(' for ' || CASE y.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
			WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' END, ''), regexp_replace(pg_get_expr(y.polqual, y.polrelid), '\s+', ' ', 'g')), E'\n' ORDER BY y.polname COLLATE "C") || E'\n'
		FROM pg_policy y WHERE y.polrelid = c.oid))
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind IN ('r', 'p')
WHERE m.schema = :'schema'
ORDER BY c.relname COLLATE "C";

\qecho '### Views'
\qecho
SELECT format(E'#### `%s`\n\n%s\n\n%s', c.relname, pg_temp.paragraph(m.comment), pg_temp.columns(c.oid))
FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind = 'v'
WHERE m.schema = :'schema'
ORDER BY c.relname COLLATE "C";

