-- Seal: what makes a flipped bit visible.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TABLE epoch_seal (
	epoch_id bigint NOT NULL REFERENCES epoch,
	relation code NOT NULL,
	row_count bigint NOT NULL CHECK (row_count >= 0),
	digest bytea NOT NULL CHECK (length(digest) = 32),
	PRIMARY KEY (epoch_id, relation)
);
COMMENT ON TABLE epoch_seal IS 'for a computed epoch, how many rows each table has of it and their SHA-256; also of the epoch itself, its policy and the parts of that';
COMMENT ON COLUMN epoch_seal.epoch_id IS 'the epoch';
COMMENT ON COLUMN epoch_seal.relation IS 'name of the table';
COMMENT ON COLUMN epoch_seal.row_count IS 'its rows';
COMMENT ON COLUMN epoch_seal.digest IS 'SHA-256 of them in any order, see rows_digest()';
SELECT pg_catalog.pg_extension_config_dump('epoch_seal', '');

CREATE FUNCTION row_sha256(VARIADIC "any") RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_row_sha256' LANGUAGE c STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION row_sha256("any") IS
'SHA-256 of values in the form in which COPY BINARY writes them, text in UTF-8: of each its length in four bytes and what its type sends, of NULL the length -1. The same whatever the settings of the session, but of other types that hold text, as jsonb, which are sent as the client has it and are not sealed';

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
'SHA-256 of a set of SHA-256s, the same in whatever order they come: they are sorted, those with the same first byte are hashed together, in groups from 0 to 255, and the hashes of the groups that are not empty are hashed again. NULL is skipped; no row gives the SHA-256 of nothing. Errors: a value that has not 32 bytes';

-- What of each table is sealed: its rows by a condition in which $1 is the epoch and $2 its policy.
CREATE FUNCTION sealed_relation() RETURNS TABLE (relation text, filter text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.relation, 't.epoch_id = $1' FROM (SELECT k.relation FROM epoch_relation() k
		UNION ALL VALUES ('epoch'), ('epoch_region'), ('epoch_region_demand'), ('epoch_region_resource'), ('epoch_resource'), ('epoch_service'), ('epoch_beacon'), ('epoch_pool'), ('epoch_provider')) r
	UNION ALL SELECT p.relation, 't.policy_id = $2' FROM (VALUES ('policy'), ('policy_resource'), ('policy_service'), ('policy_region'), ('specialization')) p (relation);
END;
COMMENT ON FUNCTION sealed_relation() IS 'tables of which an epoch seals rows, with the condition that selects them; $1: the epoch, $2: its policy';

CREATE FUNCTION rows_digest(relation text, filter text, epoch_id bigint, policy_id bigint, OUT row_count bigint, OUT digest bytea)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	list text;
BEGIN
	-- what is no input and no result is left out
	SELECT string_agg(format('t.%I', a.attname), ', ' ORDER BY a.attnum)
	INTO list
	FROM pg_attribute a
	WHERE a.attrelid = relation::regclass AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT (relation = 'epoch' AND a.attname IN ('status', 'note', 'held_reason', 'digest', 'facts', 'first_computed_at', 'computed_at', 'final_at'))
		AND NOT (relation = 'policy' AND a.attname IN ('note', 'is_builtin'));
	EXECUTE format('SELECT count(*), sha256_agg(row_sha256(%s)) FROM %I t WHERE %s', list, relation, filter)
	INTO row_count, digest USING epoch_id, policy_id;
END $$;
COMMENT ON FUNCTION rows_digest(text, text, bigint, bigint) IS
'number and SHA-256 of the rows of a table that a condition selects, see sealed_relation(); the same for the same rows in any order';

CREATE FUNCTION is_archived(epoch_id bigint) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
BEGIN
	RETURN EXISTS (SELECT FROM epoch_event v WHERE v.epoch_id = is_archived.epoch_id AND v.event = 'archive');
END $$;
COMMENT ON FUNCTION is_archived(bigint) IS 'were the partitions of an epoch detached by archive_epoch? NULL for NULL';

CREATE FUNCTION epoch_seals(epoch_id bigint) RETURNS TABLE (relation text, row_count bigint, digest bytea)
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT r.relation, d.row_count, d.digest
	FROM sealed_relation() r, LATERAL (SELECT e.policy_id FROM epoch e WHERE e.epoch_id = $1) p, LATERAL rows_digest(r.relation, r.filter, $1, p.policy_id) d
	WHERE NOT (is_archived($1) AND r.relation IN (SELECT k.relation FROM epoch_relation() k))
$$;
COMMENT ON FUNCTION epoch_seals(bigint) IS 'the seals of an epoch as its rows are now, but for what was archived. No row for NULL';

CREATE FUNCTION epoch_digest(epoch_id bigint) RETURNS bytea
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT sha256(coalesce((SELECT p.digest FROM epoch e JOIN epoch p ON p.epoch_id = e.previous_epoch_id WHERE e.epoch_id = $1), '')
		|| (SELECT string_agg(row_sha256(s.relation, s.row_count, s.digest), '' ORDER BY s.relation) FROM epoch_seal s WHERE s.epoch_id = $1))
$$;
COMMENT ON FUNCTION epoch_digest(bigint) IS 'digest of an epoch: SHA-256 over the digest of the previous epoch and the seals of this one';

CREATE FUNCTION engine_version() RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT string_agg(x.extname || ' ' || x.extversion, ', ' ORDER BY x.extname DESC) FROM pg_extension x WHERE x.extname IN ('swarm_reward', 'postgis')
$$;
COMMENT ON FUNCTION engine_version() IS 'versions of what computes an epoch';

CREATE FUNCTION seal_epoch(epoch_id bigint) RETURNS bytea
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	UPDATE epoch SET engine = engine_version() WHERE epoch.epoch_id = seal_epoch.epoch_id;
	DELETE FROM epoch_seal s WHERE s.epoch_id = seal_epoch.epoch_id;
	INSERT INTO epoch_seal (epoch_id, relation, row_count, digest)
	SELECT seal_epoch.epoch_id, s.relation, s.row_count, s.digest FROM epoch_seals(seal_epoch.epoch_id) s;
	RETURN epoch_digest(seal_epoch.epoch_id);
END $$;
COMMENT ON FUNCTION seal_epoch(bigint) IS 'run_epoch step: writes epoch_seal and returns the digest of the epoch';

-- ---- facts ----

CREATE FUNCTION facts_digest(period tstzrange, p policy) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET extra_float_digits = 1 AS $f$
DECLARE
	digest numeric;
BEGIN
	-- EXECUTE, as parallel workers do not share a query whose rows are counted
	EXECUTE $q$
		SELECT sum(f.h::numeric) FROM (
		SELECT hashtextextended(ROW(n.node_id, n.provider_id, n.hardware_id, n.location, n.service_radius_m, n.joined_at, least(n.left_at, upper($1)))::text, 1) FROM node n WHERE n.joined_at < upper($1)
		UNION ALL SELECT hash_record_extended(ROW(r.node_id, r.resource_type, r.units, r.valid * $1), 2) FROM node_resource r WHERE r.valid && $1
		UNION ALL SELECT hashtextextended(ROW(s.node_id, s.valid * $1)::text, 3) FROM node_suspension s WHERE s.valid && $1
		UNION ALL SELECT hashtextextended(ROW(c.node_id, c.resource_type, c.checked_at, c.units)::text, 4) FROM resource_check c
			WHERE c.checked_at < upper($1) AND c.checked_at > lower($1) - $2
		UNION ALL SELECT hashtextextended(ROW(g.code, g.boundary, g.jurisdiction)::text, 5) FROM region g WHERE g.valid @> lower($1)
		UNION ALL SELECT hashtextextended(ROW(d.demand_id, d.location, d.radius_m, d.weight, d.valid * $1)::text, 6) FROM demand d WHERE d.valid && $1
		UNION ALL SELECT hashtextextended(ROW(q.region, q.resource_type, q.units, q.valid * $1)::text, 7) FROM resource_demand q WHERE q.valid && $1
		UNION ALL SELECT hashtextextended(ROW(b.beacon_id, b.location, b.valid * $1)::text, 8) FROM beacon b WHERE b.valid && $1
		UNION ALL SELECT hash_record_extended(ROW(t.node_id, t.beacon_id, t.measured_at, t.rtt_ms), 9) FROM beacon_rtt t WHERE t.measured_at >= lower($1) AND t.measured_at < upper($1)
		UNION ALL SELECT hashtextextended(ROW(o.valid * $1, o.region)::text, 10) FROM outage o WHERE o.valid && $1) f (h) $q$ INTO digest USING period, p.check_validity;
	RETURN digest;
END $f$;
COMMENT ON FUNCTION facts_digest(tstzrange, policy) IS
'a sum of hashes of all facts but telemetry that an epoch with this period and policy reads, as they are now: another one means that facts have changed';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
