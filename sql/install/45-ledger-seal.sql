-- Digests: what makes a flipped bit visible.

CREATE FUNCTION sealed_relation() RETURNS TABLE (relation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r FROM unnest(ARRAY['epoch_node', 'epoch_node_resource', 'epoch_node_service', 'epoch_region',
		'epoch_region_resource', 'epoch_resource', 'epoch_service', 'epoch_mark', 'epoch_first',
		'epoch_pool', 'epoch_pool_part', 'reward', 'reward_part', 'epoch_beacon', 'epoch_reach', 'epoch_metric']) r;
END;
COMMENT ON FUNCTION sealed_relation() IS 'tables whose rows belong to an epoch and are sealed with it';

CREATE FUNCTION row_sha256("row" record) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_row_sha256' LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500;
COMMENT ON FUNCTION row_sha256(record) IS
'SHA-256 of a row''s text in UTF-8, as sha256(convert_to("row"::text, ''UTF8'')); the text of some types depends on settings. NULL for NULL';

CREATE FUNCTION sha256_agg_transfn(internal, bytea) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_sha256_agg_transfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION sha256_agg_transfn(internal, bytea) IS 'aggregate support: adds a row';
CREATE FUNCTION sha256_agg_finalfn(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_sha256_agg_finalfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION sha256_agg_finalfn(internal) IS 'aggregate support: the result';
CREATE FUNCTION sha256_agg_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_sha256_agg_combine' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION sha256_agg_combine(internal, internal) IS 'aggregate support: adds two states';
CREATE FUNCTION sha256_agg_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_sha256_agg_serialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sha256_agg_serialize(internal) IS 'aggregate support: writes a state';
CREATE FUNCTION sha256_agg_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_sha256_agg_deserialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sha256_agg_deserialize(bytea, internal) IS 'aggregate support: reads a state';
CREATE AGGREGATE sha256_agg(hash bytea) (
	SFUNC = sha256_agg_transfn, STYPE = internal,
	FINALFUNC = sha256_agg_finalfn, COMBINEFUNC = sha256_agg_combine,
	SERIALFUNC = sha256_agg_serialize, DESERIALFUNC = sha256_agg_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE sha256_agg(bytea) IS
'SHA-256 of a set of SHA-256s, the same in whatever order they come: they are sorted, those with the same first byte are hashed together, in groups from 0 to 255, and the hashes of the groups that are not empty are hashed again. NULL is skipped; no row gives the SHA-256 of nothing. Takes 32 to 96 bytes of memory a row. Errors: a value that has not 32 bytes';

-- The columns are recorded in the seal, so that a column added by a later
-- version of the extension does not disturb the digests of the past.
CREATE FUNCTION epoch_columns(relation text) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass('@extschema@.' || quote_ident(relation)) AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT (relation = 'epoch' AND a.attname IN ('status', 'digest', 'opened_at', 'computed_at', 'final_at', 'note', 'restatements', 'statements', 'grace_period'))
		AND NOT (relation = 'policy' AND a.attname IN ('sealed_rules', 'is_builtin', 'note'))
		AND NOT (relation = 'specialization' AND a.attname IN ('is_builtin'))
$$;
COMMENT ON FUNCTION epoch_columns(text) IS 'columns of a table that enter the digest of an epoch, in their order';

CREATE FUNCTION epoch_rows_digest(epoch_id bigint, relation text, columns text[], OUT row_count bigint, OUT digest bytea)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT
SET extra_float_digits = 1 SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
DECLARE
	list text;
	filter text := 'epoch_id = $1';
BEGIN
	IF relation IN ('policy', 'specialization') THEN
		filter := 'policy_id = (SELECT e.policy_id FROM epoch e WHERE e.epoch_id = $1)';
	ELSIF relation <> 'epoch' AND relation NOT IN (SELECT s.relation FROM sealed_relation() s) THEN
		RAISE EXCEPTION 'table % is not sealed with an epoch', quote_literal(relation) USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- fields are hashed in their binary form: it is smaller and just as canonical
	SELECT string_agg(format(CASE WHEN a.atttypid = 'coverage'::regtype THEN 'sha256(coverage_send(t.%I))' ELSE 't.%I' END, c.name), ', ' ORDER BY c.ord)
	INTO list
	FROM unnest(columns) WITH ORDINALITY c (name, ord)
		JOIN pg_attribute a ON a.attrelid = to_regclass('@extschema@.' || quote_ident(relation)) AND a.attname = c.name AND a.attnum > 0;
	EXECUTE format('SELECT count(*), sha256_agg(row_sha256(ROW(%s))) FROM %I t WHERE %s', list, relation, filter)
	INTO row_count, digest USING epoch_id;
END $$;
COMMENT ON FUNCTION epoch_rows_digest(bigint, text, text[]) IS
'number and SHA-256 of an epoch''s rows in a table over the given columns; the same for the same rows in any order, whatever the settings of the session. Errors: a table that is not sealed';

CREATE FUNCTION epoch_seal_digest(epoch_id bigint) RETURNS bytea
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET bytea_output = 'hex' AS $$
	SELECT sha256(coalesce((SELECT p.digest FROM epoch e JOIN epoch p ON p.epoch_id = e.previous_epoch_id WHERE e.epoch_id = $1), '')
		|| (SELECT string_agg(sha256(convert_to(ROW(s.relation, s.columns, s.row_count, s.digest)::text, 'UTF8')), '' ORDER BY s.relation)
			FROM epoch_seal s WHERE s.epoch_id = $1))
$$;
COMMENT ON FUNCTION epoch_seal_digest(bigint) IS
'digest of an epoch: SHA-256 over the digest of the previous epoch and the seals of this one';

CREATE FUNCTION seal_epoch(epoch_id bigint) RETURNS bytea
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM (opened_epoch(seal_epoch.epoch_id)).epoch_id;
	INSERT INTO epoch_seal (epoch_id, relation, columns, row_count, digest)
	SELECT seal_epoch.epoch_id, r.relation, c.columns, d.row_count, d.digest
	FROM (SELECT s.relation FROM sealed_relation() s UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r,
		LATERAL (SELECT epoch_columns(r.relation) AS columns) c,
		LATERAL epoch_rows_digest(seal_epoch.epoch_id, r.relation, c.columns) d;
	RETURN epoch_seal_digest(seal_epoch.epoch_id);
END $$;
COMMENT ON FUNCTION seal_epoch(bigint) IS 'run_epoch step: writes epoch_seal and returns the digest of the epoch';
