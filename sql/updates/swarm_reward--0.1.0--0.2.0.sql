-- From 0.1.0 to 0.2.0. Made of the statements of sql/install that are new or have changed, and of
-- what existing tables need; a test compares the catalogue with that of a fresh 0.2.0.
\echo Use "ALTER EXTENSION swarm_reward UPDATE TO '0.2.0'" to load this file. \quit

DO $$
BEGIN
	IF EXISTS (SELECT FROM restatement) OR EXISTS (SELECT FROM payout) THEN
		RAISE EXCEPTION 'tables restatement and payout have rows, which 0.1.0 made no use of'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Keep them elsewhere and empty both tables.';
	END IF;
END $$;

-- what sealed epochs get here is not theirs to guard
SET LOCAL session_replication_role = replica;

DROP VIEW provider_statement;

DROP VIEW growth_metric;

ALTER EXTENSION swarm_reward DROP TABLE restatement;
ALTER EXTENSION swarm_reward DROP TABLE payout;
ALTER EXTENSION swarm_reward DROP SEQUENCE restatement_restatement_id_seq;
ALTER EXTENSION swarm_reward DROP SEQUENCE payout_payout_id_seq;
DROP TABLE restatement, payout;

DROP PROCEDURE run_epoch(bigint);

CREATE FUNCTION unknown_id(kind text, id bigint) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION '% % does not exist', kind, id
		USING ERRCODE = 'no_data_found', HINT = CASE kind
			WHEN 'epoch' THEN 'The table swarm_reward.epoch lists the epochs there are; plan_epochs() plans new ones.'
			WHEN 'policy' THEN 'The table swarm_reward.policy lists the policies there are.'
			WHEN 'node' THEN 'The table swarm_reward.node lists the nodes there are.'
			WHEN 'payout' THEN 'The table swarm_reward.payout lists the batches there are; make_payout() makes one.'
			WHEN 'restatement run' THEN 'The table swarm_reward.restatement_run lists those there are; restate_epoch() returns the key of a new one.' END;
END $$;
COMMENT ON FUNCTION unknown_id(text, bigint) IS
'error, always: an epoch, policy, node, payout or restatement run of this key, which may be NULL, does not exist, and where to find those that do';

-- Both are called in expressions, or for one column: in FROM, or as what a query returns,
-- the three fields of the epoch, tens of megabytes, are fetched to make a row of them.
CREATE FUNCTION known_epoch(id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION known_epoch(bigint) IS 'the epoch of this key. Errors: there is none';

CREATE FUNCTION opened_epoch(id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch := known_epoch($1);
BEGIN
	IF e.status = 'planned' THEN
		RAISE EXCEPTION 'epoch % is planned: nothing of it is frozen', $1
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	RETURN e;
END $$;
COMMENT ON FUNCTION opened_epoch(bigint) IS 'an epoch that is open, computed or final, and hence has a policy. Errors: there is none with this key, or it is planned';

CREATE OR REPLACE FUNCTION coverage_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;

CREATE OR REPLACE FUNCTION coverage_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

CREATE OR REPLACE FUNCTION coverage_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

CREATE OR REPLACE FUNCTION coverage_agg_transfn(internal, geography, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;

CREATE OR REPLACE FUNCTION coverage_agg_transfn(internal, geography, float8, float8) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;

CREATE OR REPLACE FUNCTION coverage_agg_transfn(internal, geography, float8, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 25;

CREATE FUNCTION covering_region(regions geography[], location geography) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

COMMENT ON FUNCTION covering_region(geography[], geography) IS
'position, from 1, of the first region of the array that covers the point in the sense of ST_Covers(geography, geography), NULL if none does or an argument is NULL; order the array by what should count first. A NULL or empty region covers nothing. Made for many points: the array is prepared once for a run of calls with an equal one (a constant or a parameter is best), after which a point costs microseconds whatever the number of regions; ST_Covers itself is asked about points within 6 mm of a boundary. Errors: a region that is no Polygon or MultiPolygon, a location that is no point or is empty, an array of several dimensions';

CREATE OR REPLACE FUNCTION coverage_sum(c coverage, location geography, radius_m float8) RETURNS float8
AS 'MODULE_PATHNAME', 'coverage_sum_disc' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 25;

CREATE FUNCTION keccak256(message bytea) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;

COMMENT ON FUNCTION keccak256(bytea) IS
'Keccak-256 of a message, 32 bytes: the hash of Ethereum, which is not SHA3-256; NULL for NULL';

CREATE FUNCTION checksum_address(address text) RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;

COMMENT ON FUNCTION checksum_address(text) IS
'the one canonical form of an address, 0x and 40 hexadecimal digits with the capital letters of EIP-55; NULL for NULL. Errors: anything else, and capital and small letters together whose checksum is wrong';

CREATE FUNCTION is_payout_address(address text) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;

COMMENT ON FUNCTION is_payout_address(text) IS
'true for what checksum_address takes, except the zero address, which nobody has; never an error; NULL for NULL';

CREATE FUNCTION merkle_leaf(address text, amount numeric) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;

COMMENT ON FUNCTION merkle_leaf(text, numeric) IS
'leaf of a payment in a Merkle tree: keccak256(keccak256(abi.encode(address, uint256 amount))), as OpenZeppelin''s StandardMerkleTree has it; NULL for NULL. Errors: an address as for checksum_address, an amount that is not a whole number from 0 to 2^256 - 1';

CREATE FUNCTION merkle_tree(leaves bytea[]) RETURNS bytea[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION merkle_tree(bytea[]) IS
'the nodes of the Merkle tree over leaves in any order, in the layout of OpenZeppelin''s StandardMerkleTree: 2n - 1 hashes, the root first, the children of element i being 2i and 2i + 1 (counted from 1), the leaves sorted by hash from the last element backwards, each other node the Keccak-256 of its two children, the smaller first; NULL for NULL. Errors: no leaf, a NULL leaf, one that has not 32 bytes, more nodes than an array of 1 GB holds';

CREATE FUNCTION merkle_root(leaves bytea[]) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION merkle_root(bytea[]) IS
'the root of merkle_tree(leaves); NULL for NULL. Errors: no leaf, a NULL leaf, one that has not 32 bytes';

CREATE FUNCTION merkle_proof(leaves bytea[], leaf bytea) RETURNS bytea[]
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION merkle_proof(bytea[], bytea) IS
'the proof that a leaf is one of the leaves: the hashes beside its way up merkle_tree(leaves), empty for the only leaf; NULL for NULL. Errors: as for merkle_tree, and a leaf that is not among the leaves';

CREATE FUNCTION merkle_verify(root bytea, leaf bytea, proof bytea[]) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;

COMMENT ON FUNCTION merkle_verify(bytea, bytea, bytea[]) IS
'does the proof lead from the leaf to the root, as MerkleProof.verify in a contract decides it; NULL for NULL. Errors: hashes that have not 32 bytes';

CREATE FUNCTION can_commit() RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION can_commit() IS
'true in a procedure that may COMMIT: called by CALL on its own, not in a transaction block, a function or a block with EXCEPTION; false everywhere else';

CREATE OR REPLACE FUNCTION is_location(location geography) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
BEGIN ATOMIC
	-- ST_X raises an error for anything but a point
	SELECT CASE WHEN ST_GeometryType(location::geometry) = 'ST_Point'
		THEN coalesce(ST_X(location::geometry) BETWEEN -180 AND 180 AND ST_Y(location::geometry) BETWEEN -90 AND 90, false)
		ELSE false END;
END;

COMMENT ON FUNCTION is_location(geography) IS
'true for a point with finite longitude and latitude, false for POINT EMPTY, NaN and everything else; NULL for NULL';

ALTER TABLE provider DROP CONSTRAINT provider_payout_address_check;
ALTER TABLE provider ADD CONSTRAINT provider_payout_address_valid CHECK (is_payout_address(payout_address));

COMMENT ON COLUMN provider.payout_address IS 'where payouts go: 0x and 40 hexadecimal digits, the zero address excepted, with the checksum of EIP-55 where capital and small letters are mixed; may be shared with other providers; NULL: not known yet, the balance waits';

CREATE OR REPLACE FUNCTION make_telemetry_partitions(from_time timestamptz, to_time timestamptz, width interval DEFAULT '1 day') RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	parent regclass;
	taken tstzmultirange;
	free tstzrange;
	a timestamptz;
	b timestamptz;
	e timestamptz;
	made int := 0;
	child text;
BEGIN
	IF from_time IS NULL OR to_time IS NULL OR NOT isfinite(from_time) OR NOT isfinite(to_time) OR from_time >= to_time THEN
		RAISE EXCEPTION 'cannot make telemetry partitions from % to %', from_time, to_time
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a finite start before a finite end.';
	END IF;
	IF width IS NULL OR width < interval '1 day' OR width <> justify_hours(date_trunc('day', width)) THEN
		RAISE EXCEPTION 'partition width % is not a whole number of days', width
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use ''1 day'' or, for sparse history, for example ''1 month''.';
	END IF;
	FOREACH parent IN ARRAY ARRAY['telemetry'::regclass, 'telemetry_hour'::regclass] LOOP
		-- one maker at a time: two would find the same day free
		PERFORM pg_advisory_xact_lock(parent::oid::bigint);
		taken := telemetry_span(parent);
		a := date_trunc('day', from_time);
		e := date_trunc('day', to_time) + CASE WHEN date_trunc('day', to_time) = to_time THEN interval '0' ELSE interval '1 day' END;
		WHILE a < e LOOP
			b := least(a + width, e);
			FOR free IN
				SELECT r FROM unnest(tstzmultirange(tstzrange(a, b)) - taken) r
			LOOP
				child := format('%I.%I', '@extschema@', (SELECT c.relname FROM pg_class c WHERE c.oid = parent) || '_' || to_char(lower(free), 'YYYYMMDD'));
				-- made first and attached then: CREATE TABLE PARTITION OF would wait for every
				-- reader and writer of the whole, and keep new ones waiting
				EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION)', child, parent);
				-- NOT VALID: there is no row that they would not have seen, and pg_restore, which makes them
				-- after this table's data and perhaps before that of node, does not look at rows then
				EXECUTE format('ALTER TABLE %s ADD PRIMARY KEY (node_id, %I, service_key), ADD FOREIGN KEY (node_id) REFERENCES node NOT VALID, ADD FOREIGN KEY (service_type) REFERENCES service_type NOT VALID',
					child, CASE parent WHEN 'telemetry'::regclass THEN 'sampled_at' ELSE 'hour' END);
				IF parent = 'telemetry'::regclass THEN
					-- for an hour of all nodes; see 37 for what a B-tree would have cost
					EXECUTE format('CREATE INDEX ON %s USING brin (sampled_at) WITH (pages_per_range = 32)', child);
				END IF;
				EXECUTE format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)', parent, child, lower(free), upper(free));
				PERFORM forget_telemetry_partition(parent, free);
				IF parent = 'telemetry'::regclass THEN
					PERFORM watch_telemetry_partition(child::regclass);
				END IF;
				made := made + 1;
			END LOOP;
			a := b;
		END LOOP;
	END LOOP;
	RETURN made;
END $$;

COMMENT ON FUNCTION make_telemetry_partitions(timestamptz, timestamptz, interval) IS
'makes the missing partitions of telemetry and telemetry_hour, with their keys and indexes, for the UTC days from from_time to before to_time and returns how many it made; safe to repeat. width: days per partition, wider for sparse history. A call is one transaction, in which some hundreds of days at once take more locks than a server has by default: make a long history in several calls or with a longer width. Errors: an empty or unbounded span, a width that is not whole days';

ALTER TABLE policy
	ADD emission numeric(38,0) CHECK (emission BETWEEN 0 AND 1e37),
	ADD emission_decay numeric(13,12) NOT NULL DEFAULT 0 CHECK (emission_decay >= 0 AND emission_decay < 1),
	ADD memory_epochs int NOT NULL DEFAULT 1 CHECK (memory_epochs BETWEEN 1 AND 1000),
	ADD CONSTRAINT policy_slot_is_fixed CHECK (extract(year FROM telemetry_slot) = 0 AND extract(month FROM telemetry_slot) = 0);

COMMENT ON COLUMN policy.telemetry_slot IS 'slot of uptime: a node is up in a slot with at least one good sample; as long as the interval between heartbeats; of a fixed length, without months';

COMMENT ON COLUMN policy.emission IS 'base units for the first epoch that takes its budget from this policy, see emission(); NULL: an epoch under it needs a budget of its own';

COMMENT ON COLUMN policy.emission_decay IS 'part by which each such epoch gets less than the one before, in [0, 1), rounded down to a base unit: in all less than emission / emission_decay';

COMMENT ON COLUMN policy.memory_epochs IS 'how many earlier epochs the opening supply of an epoch remembers: it is the greatest of their closing supplies, by cell, and by region and kind of resource. With 1 it is that of the epoch before. With K, whoever is away for less than K epochs comes back to no gap of their own making, and nobody is paid for filling it meanwhile';

CREATE FUNCTION policy_in_effect(at timestamptz) RETURNS bigint
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT p.policy_id FROM policy p WHERE p.effective_from <= policy_in_effect.at ORDER BY p.effective_from DESC LIMIT 1;
END;

COMMENT ON FUNCTION policy_in_effect(timestamptz) IS
'key of the policy of an epoch that starts at a time and names none: the one with the latest effective_from not after it; NULL where there is none, and for NULL';

CREATE OR REPLACE FUNCTION policy_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	sealed int;
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		RAISE EXCEPTION 'cannot truncate %: it holds what ships with the extension', TG_TABLE_NAME
			USING ERRCODE = 'restrict_violation', HINT = 'DELETE the rows of policies that no epoch has used.';
	END IF;
	IF TG_TABLE_NAME = 'policy' THEN
		IF TG_OP = 'UPDATE' AND NOT OLD.is_builtin AND OLD.sealed_rules IS NULL THEN
			IF NEW.policy_id = OLD.policy_id THEN RETURN NEW; END IF;
		ELSIF TG_OP = 'DELETE' AND NOT OLD.is_builtin AND OLD.sealed_rules IS NULL THEN
			RETURN OLD;
		END IF;
		RAISE EXCEPTION 'policy % (%) cannot be changed', OLD.policy_id, OLD.name
			USING ERRCODE = 'restrict_violation',
				DETAIL = CASE WHEN OLD.is_builtin THEN 'It ships with the extension.' ELSE 'An epoch has used it, or its key would change.' END,
				HINT = 'Insert a new policy with a later effective_from.';
	END IF;
	IF TG_OP IN ('UPDATE', 'DELETE') THEN
		SELECT sealed_rules INTO sealed FROM policy WHERE policy_id = OLD.policy_id;
		IF sealed IS NOT NULL THEN
			RAISE EXCEPTION 'specialization % of policy % cannot be changed', OLD.code, OLD.policy_id
				USING ERRCODE = 'restrict_violation', HINT = 'Insert a new policy with its own rules.';
		END IF;
	END IF;
	IF TG_OP IN ('INSERT', 'UPDATE') THEN
		SELECT sealed_rules INTO sealed FROM policy WHERE policy_id = NEW.policy_id FOR SHARE;
		IF sealed <= (SELECT count(*) FROM specialization WHERE policy_id = NEW.policy_id) THEN
			RAISE EXCEPTION 'policy % takes no more rules than the % it has', NEW.policy_id, sealed
				USING ERRCODE = 'restrict_violation', HINT = 'Insert a new policy with its own rules.';
		END IF;
		RETURN NEW;
	END IF;
	RETURN OLD;
END $$;

CREATE TRIGGER policy_truncate_guard BEFORE TRUNCATE ON policy FOR EACH STATEMENT EXECUTE FUNCTION policy_guard();

CREATE TRIGGER policy_truncate_guard BEFORE TRUNCATE ON specialization FOR EACH STATEMENT EXECUTE FUNCTION policy_guard();

ALTER TABLE epoch
	ADD restatements int NOT NULL DEFAULT 0 CHECK (restatements >= 0),
	ADD statements bigint CHECK (statements >= 0),
	ADD emission_no int CHECK (emission_no >= 1);

COMMENT ON COLUMN epoch.budget IS 'base units to be paid; 0 for an epoch that only sets the baseline; where none is given, the emission of the policy';

COMMENT ON COLUMN epoch.supply IS 'S0: opening supply field, contribution per cell at the close of the previous epoch, or the most at the close of any of the last policy.memory_epochs; zero at the first';

COMMENT ON COLUMN epoch.restatements IS 'how many rows of restatement_run are posted in its statements; not an input';

COMMENT ON COLUMN epoch.statements IS 'how many rows final_statement has of it, set when it becomes final; not an input';

COMMENT ON COLUMN epoch.emission_no IS 'the budget is this emission of the policy, counted from 1 over the epochs that take theirs from it; NULL: the budget was given. Both are counted again when the epoch is opened';

ALTER TABLE epoch_node
	DROP CONSTRAINT epoch_node_epoch_id_fkey,
	ADD violations int NOT NULL DEFAULT 0 CHECK (violations BETWEEN 0 AND beacons),
	ADD fastest_rtt_ms double precision CHECK (fastest_rtt_ms >= 0),
	ADD worst_beacon_id bigint,
	ADD worst_rtt_ms double precision CHECK (worst_rtt_ms >= 0);

COMMENT ON COLUMN epoch_node.location_excess_m IS 'largest of distance to a beacon less the distance its fastest round trip allows, metres, rounded down to a millimetre; negative: possible; NULL: no beacon';

COMMENT ON COLUMN epoch_node.violations IS 'beacons whose excess is above the slack of the policy: any of them makes trust 0';

COMMENT ON COLUMN epoch_node.fastest_rtt_ms IS 'fastest round-trip time to any beacon, ms: the tightest bound; NULL: no beacon';

COMMENT ON COLUMN epoch_node.worst_beacon_id IS 'the beacon that shows location_excess_m, the lowest of several; NULL: no beacon';

COMMENT ON COLUMN epoch_node.worst_rtt_ms IS 'fastest round-trip time to that beacon, ms; NULL: no beacon';

ALTER TABLE epoch_node_resource DROP CONSTRAINT epoch_node_resource_epoch_id_node_id_fkey;

ALTER TABLE epoch_node_service DROP CONSTRAINT epoch_node_service_epoch_id_node_id_fkey;

ALTER TABLE epoch_region ADD jurisdiction text;

COMMENT ON COLUMN epoch_region.jurisdiction IS 'its jurisdiction then; NULL: not known';

COMMENT ON COLUMN epoch_region_resource.opening_supply IS 'supply at the close of the previous epoch, or the most at the close of any of the last policy.memory_epochs';

ALTER TABLE epoch_resource ADD family text, ADD unit text;
UPDATE epoch_resource r SET family = t.family, unit = t.unit FROM resource_type t WHERE t.code = r.resource_type;
ALTER TABLE epoch_resource ALTER family SET NOT NULL, ALTER unit SET NOT NULL;

COMMENT ON COLUMN epoch_resource.family IS 'its family then';

COMMENT ON COLUMN epoch_resource.unit IS 'its unit then';

ALTER TABLE epoch_service ADD unit text;
UPDATE epoch_service s SET unit = t.unit FROM service_type t WHERE t.code = s.service_type;
ALTER TABLE epoch_service ALTER unit SET NOT NULL;

COMMENT ON COLUMN epoch_service.unit IS 'unit of its work then';

ALTER TABLE epoch_mark DROP CONSTRAINT epoch_mark_epoch_id_fkey;

ALTER TABLE epoch_first DROP CONSTRAINT epoch_first_epoch_id_fkey;

ALTER TABLE reward DROP CONSTRAINT reward_epoch_id_node_id_fkey;

ALTER TABLE reward_part DROP CONSTRAINT reward_part_epoch_id_node_id_fkey;

CREATE FUNCTION hour_of(at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT date_bin('1 hour', at, timestamptz '2000-01-01 00:00+00');
END;

COMMENT ON FUNCTION hour_of(timestamptz) IS 'start of the UTC hour that holds a time, whatever the time zone of the session; NULL for NULL, an error for an infinite time';

CREATE TABLE telemetry_dirty (
	since timestamptz NOT NULL CHECK (isfinite(since)),
	came bigint NOT NULL CHECK (came >= 0),
	gone bigint NOT NULL CHECK (gone >= 0)
);

COMMENT ON TABLE telemetry_dirty IS 'hours of telemetry whose rows changed after they were rolled up, or that never were; one row per statement and hour, written by triggers, taken away by roll_telemetry_hours';

COMMENT ON COLUMN telemetry_dirty.since IS 'the hour; or, where an epoch begins or ends within the hour, that moment for the rows from it on';

COMMENT ON COLUMN telemetry_dirty.came IS 'rows inserted, and new versions of rows updated';

COMMENT ON COLUMN telemetry_dirty.gone IS 'rows deleted, and old versions of rows updated';

CREATE INDEX telemetry_dirty_since_idx ON telemetry_dirty (since);

CREATE TABLE telemetry_arrival (
	since timestamptz PRIMARY KEY CHECK (isfinite(since)),
	came bigint NOT NULL CHECK (came >= 0),
	gone bigint NOT NULL CHECK (gone >= 0)
);

COMMENT ON TABLE telemetry_arrival IS 'how many rows of telemetry ever came and went, by hour: what roll_telemetry_hours took out of telemetry_dirty, added up';

COMMENT ON COLUMN telemetry_arrival.since IS 'as in telemetry_dirty';

COMMENT ON COLUMN telemetry_arrival.came IS 'rows inserted, and new versions of rows updated';

COMMENT ON COLUMN telemetry_arrival.gone IS 'rows deleted, and old versions of rows updated';

CREATE TABLE telemetry_rolled (
	hour timestamptz PRIMARY KEY CHECK (isfinite(hour) AND hour_of(hour) = hour),
	slot interval CHECK (slot > interval '0'),
	samples bigint NOT NULL CHECK (samples >= 0),
	rolls int NOT NULL DEFAULT 1 CHECK (rolls >= 1),
	rolled_at timestamptz NOT NULL,
	raw_dropped boolean NOT NULL DEFAULT false
);

COMMENT ON TABLE telemetry_rolled IS 'hours that telemetry_hour has summaries of, also of those without any row';

COMMENT ON COLUMN telemetry_rolled.hour IS 'start of the hour';

COMMENT ON COLUMN telemetry_rolled.slot IS 'slot of its summaries; NULL: the partition that held them was dropped';

COMMENT ON COLUMN telemetry_rolled.samples IS 'raw rows in the summaries';

COMMENT ON COLUMN telemetry_rolled.rolls IS 'how often it was rolled up: 1, and once more each time that rows had changed';

COMMENT ON COLUMN telemetry_rolled.rolled_at IS 'when it was last rolled up; not an input of any computation';

COMMENT ON COLUMN telemetry_rolled.raw_dropped IS 'the raw rows were dropped with their partition, and there is a new, empty one: the summaries are never made again. Rows that come later are kept and counted, but belong to no summary';

CREATE TABLE telemetry_reporter (
	node_id bigint PRIMARY KEY REFERENCES node,
	last_at timestamptz NOT NULL CHECK (isfinite(last_at))
);

COMMENT ON TABLE telemetry_reporter IS 'each node that ever reported, as far as telemetry was rolled up; see the view reporter_watermark';

COMMENT ON COLUMN telemetry_reporter.node_id IS 'the node';

COMMENT ON COLUMN telemetry_reporter.last_at IS 'its latest sampled_at';

CREATE FUNCTION telemetry_partition(parent regclass) RETURNS TABLE (partition regclass, period tstzrange, watched boolean)
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
	SELECT c.oid::regclass, tstzrange(m[1]::timestamptz, m[2]::timestamptz),
		-- three of the parent's triggers and four of its own
		(SELECT count(*) = 7 FROM pg_trigger t WHERE t.tgrelid IN (parent, c.oid) AND t.tgfoid = 'mark_telemetry()'::regprocedure AND t.tgenabled IN ('O', 'A'))
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
		-- MINVALUE and MAXVALUE give NULL: no bound
		regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$^FOR VALUES FROM \((?:'([^']+)'|MINVALUE)\) TO \((?:'([^']+)'|MAXVALUE)\)$re$) m
	WHERE i.inhparent = parent AND m IS NOT NULL
$$;

COMMENT ON FUNCTION telemetry_partition(regclass) IS 'the partitions of telemetry, of telemetry_hour, or of any table partitioned by one timestamptz, with the time that each is for, and whether it has the triggers of watch_telemetry_partition(); a default partition is left out. NULL for NULL';

CREATE FUNCTION telemetry_span(parent regclass, watched boolean DEFAULT false) RETURNS tstzmultirange
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT coalesce(range_agg(p.period), '{}') FROM telemetry_partition(parent) p WHERE p.watched OR NOT telemetry_span.watched
$$;

COMMENT ON FUNCTION telemetry_span(regclass, boolean) IS 'all the time that there are partitions for, or, with watched, those that mark the hours that change; see telemetry_partition(). NULL for NULL';

CREATE INDEX epoch_divides_hour_idx ON epoch (epoch_id) WHERE hour_of(lower(period)) <> lower(period) OR hour_of(upper(period)) <> upper(period);

CREATE FUNCTION hour_divisions() RETURNS timestamptz[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(DISTINCT b.at ORDER BY b.at), '{}')
	FROM epoch e, LATERAL (VALUES (lower(e.period)), (upper(e.period))) b (at)
	WHERE (hour_of(lower(e.period)) <> lower(e.period) OR hour_of(upper(e.period)) <> upper(e.period)) AND hour_of(b.at) <> b.at;
END;

COMMENT ON FUNCTION hour_divisions() IS 'the moments, in order, at which epochs begin or end within an hour; an empty array: none do';

CREATE FUNCTION part_of_hour(at timestamptz, divisions timestamptz[]) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT greatest(date_bin('1 hour', at, timestamptz '2000-01-01 00:00+00'), divisions[width_bucket(at, divisions)]);
END;

COMMENT ON FUNCTION part_of_hour(timestamptz, timestamptz[]) IS 'start of the hour that holds a time, or the last of the divisions of that hour at or before it; divisions in order, see hour_divisions()';

CREATE FUNCTION mark_telemetry() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	divisions timestamptz[] := hour_divisions();
BEGIN
	IF TG_OP = 'INSERT' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT part_of_hour(t.sampled_at, divisions), count(*), 0 FROM new_rows t GROUP BY 1;
	ELSIF TG_OP = 'DELETE' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT part_of_hour(t.sampled_at, divisions), 0, count(*) FROM old_rows t GROUP BY 1;
	ELSIF TG_OP = 'UPDATE' THEN
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT c.since, sum(c.came), sum(c.gone)
		FROM (SELECT part_of_hour(t.sampled_at, divisions) AS since, count(*) AS came, 0 AS gone FROM new_rows t GROUP BY 1
			UNION ALL SELECT part_of_hour(t.sampled_at, divisions), 0, count(*) FROM old_rows t GROUP BY 1) c
		GROUP BY c.since;
	ELSE
		EXECUTE format('INSERT INTO telemetry_dirty (since, came, gone) SELECT part_of_hour(t.sampled_at, $1), 0, count(*) FROM %I.%I t GROUP BY 1',
			TG_TABLE_SCHEMA, TG_TABLE_NAME) USING divisions;
	END IF;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION mark_telemetry() IS
'trigger: whoever writes telemetry marks the hours in telemetry_dirty; runs with the owner''s rights, so that writing telemetry is all the right one needs. PostgreSQL refuses to hand the rows of a foreign partition to such triggers: write to that directly, not by way of telemetry';

CREATE FUNCTION watch_telemetry_partition(partition regclass) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_update AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	IF (SELECT c.relkind FROM pg_class c WHERE c.oid = partition) = 'r' THEN	-- where the rows are
		EXECUTE format('CREATE OR REPLACE TRIGGER mark_telemetry_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION mark_telemetry()', partition);
	END IF;
END $$;

COMMENT ON FUNCTION watch_telemetry_partition(regclass) IS
'puts the triggers on a partition of telemetry that mark hours when it is written to directly, not by way of telemetry; make_telemetry_partitions does it, a partition made or attached by hand should have it too: without, its hours are read from raw rows alone. Safe to repeat';

SELECT watch_telemetry_partition('telemetry');

CREATE FUNCTION mark_telemetry_hours(period tstzrange) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	WITH mark AS (
		INSERT INTO telemetry_dirty (since, came, gone)
		SELECT r.hour, 0, 0 FROM telemetry_rolled r
		WHERE r.hour < coalesce(upper(period), 'infinity') AND r.hour > coalesce(lower(period), '-infinity') - interval '1 hour' AND NOT isempty(period)
		RETURNING 1)
	SELECT count(*) FROM mark;
END;

COMMENT ON FUNCTION mark_telemetry_hours(tstzrange) IS
'has the hours of a period rolled up again, and returns how many; only needed after telemetry was written with its triggers switched off, as session_replication_role = replica does. A period without a bound goes on for ever; an empty one, and NULL, mark none';

CREATE FUNCTION forget_telemetry_partition(parent regclass, period tstzrange) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF parent = 'telemetry'::regclass THEN
		DELETE FROM telemetry_rolled r WHERE r.hour <@ period AND r.samples = 0;
		UPDATE telemetry_rolled r SET raw_dropped = true WHERE r.hour <@ period AND NOT r.raw_dropped;
	ELSE
		UPDATE telemetry_rolled r SET slot = NULL WHERE r.hour <@ period AND r.slot IS NOT NULL;
	END IF;
END $$;

COMMENT ON FUNCTION forget_telemetry_partition(regclass, tstzrange) IS
'called by make_telemetry_partitions for each partition it makes of telemetry or telemetry_hour: notes that what the hours of the period had in an earlier partition is gone';

CREATE FUNCTION telemetry_hour_slot(hour timestamptz) RETURNS interval
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT CASE WHEN extract(year FROM p.telemetry_slot) = 0 AND extract(month FROM p.telemetry_slot) = 0 THEN p.telemetry_slot ELSE interval '1 minute' END
	FROM policy p
	WHERE p.policy_id = coalesce(
		(SELECT e.policy_id FROM epoch e WHERE e.period @> hour),
		(SELECT l.policy_id FROM policy l
			WHERE l.effective_from <= coalesce((SELECT lower(e.period) FROM epoch e WHERE e.period @> hour), hour)
			ORDER BY l.effective_from DESC LIMIT 1));
END;

COMMENT ON FUNCTION telemetry_hour_slot(timestamptz) IS
'slot that the summaries of an hour are made with: that of the policy of the epoch in which the hour starts, or of the policy in effect then; 1 minute where that is no fixed length. NULL for NULL';

CREATE FUNCTION pending_telemetry_hours(until timestamptz DEFAULT NULL)
RETURNS TABLE (hour timestamptz, slot interval, reason text, came bigint, gone bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	WITH span AS MATERIALIZED (
		SELECT telemetry_span('telemetry', watched => true) AS raw, telemetry_span('telemetry_hour') AS summaries
	),
	dirty AS MATERIALIZED (
		SELECT hour_of(d.since) AS hour, sum(d.came)::bigint AS came, sum(d.gone)::bigint AS gone
		FROM telemetry_dirty d GROUP BY 1
	),
	todo AS (
		SELECT h.hour, 'new' AS reason
		FROM span s, unnest(s.raw) r, generate_series(hour_of(lower(r) + interval '1 hour' - interval '1 microsecond'), least(upper(r), coalesce(until, now())) - interval '1 hour', interval '1 hour') h (hour)
		WHERE NOT EXISTS (SELECT FROM telemetry_rolled o WHERE o.hour = h.hour)
		UNION ALL
		SELECT d.hour, CASE WHEN tstzrange(d.hour, d.hour + interval '1 hour') <@ s.raw AND NOT coalesce(o.raw_dropped, false) THEN 'dirty' ELSE 'counted' END
		FROM dirty d LEFT JOIN telemetry_rolled o ON o.hour = d.hour, span s
		WHERE o.hour IS NOT NULL OR NOT tstzrange(d.hour, d.hour + interval '1 hour') && s.raw
		UNION ALL
		SELECT o.hour, 'slot'
		FROM telemetry_rolled o, span s
		WHERE NOT o.raw_dropped AND tstzrange(o.hour, o.hour + interval '1 hour') <@ s.raw
			AND NOT EXISTS (SELECT FROM dirty d WHERE d.hour = o.hour)
			AND (o.slot IS NULL OR NOT o.hour <@ s.summaries OR (o.slot <> telemetry_hour_slot(o.hour)
				AND EXISTS (SELECT FROM epoch e WHERE e.period @> o.hour AND e.status <> 'final')))
	)
	SELECT t.hour, telemetry_hour_slot(t.hour), t.reason, coalesce(d.came, 0), coalesce(d.gone, 0)
	FROM todo t LEFT JOIN dirty d ON d.hour = t.hour
	WHERE t.hour + interval '1 hour' <= coalesce(until, now())
	ORDER BY t.hour
$$;

COMMENT ON FUNCTION pending_telemetry_hours(timestamptz) IS
'hours that ended by a time (NULL: now) and that roll_telemetry_hours has work with, with the slot it will use, the reason and the rows that came and went since: new (not rolled up yet), dirty (rows came or went since), slot (its epoch wants another slot, or its summaries were dropped), counted (rows came or went, but the raw rows of its summaries were dropped, or the hour lies in no one partition that is watched: nothing but counted)';

CREATE FUNCTION roll_telemetry_hours(until timestamptz DEFAULT NULL, max_hours int DEFAULT NULL)
RETURNS TABLE (hour timestamptz, slot interval, reason text, summaries bigint, samples bigint, changed bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET enable_nestloop = off SET jit = off SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
	chunk record;
BEGIN
	IF max_hours < 1 THEN
		RAISE EXCEPTION 'cannot roll up at most % hours', max_hours
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a positive number, or NULL for all that there are.';
	END IF;
	IF NOT pg_try_advisory_xact_lock('telemetry_rolled'::regclass::oid::int, 0) THEN
		RAISE NOTICE 'another session is rolling up telemetry';
		RETURN;
	END IF;
	FOR chunk IN
		SELECT h.hour FROM pending_telemetry_hours(until) h
		WHERE h.reason <> 'counted' AND NOT h.hour <@ (SELECT telemetry_span('telemetry_hour'))
	LOOP
		PERFORM make_telemetry_partitions(chunk.hour, chunk.hour + interval '1 hour');
	END LOOP;
	-- nobody may drop raw rows from now on: they would be taken for deleted
	LOCK TABLE ONLY telemetry, ONLY telemetry_hour IN ACCESS SHARE MODE;
	-- What has no raw rows any more is only counted; the rest goes partition by
	-- partition, each read once for all of its hours.
	FOR chunk IN
		SELECT p.partition, p.reason = 'counted' AS only_counted, p.slot, array_agg(p.hour ORDER BY p.hour) AS hours, array_agg(p.reason ORDER BY p.hour) AS reasons,
			min(p.hour) AS starts, max(p.hour) + interval '1 hour' AS ends,
			max(p.hour) - min(p.hour) = (count(*) - 1) * interval '1 hour' AS gapless
		FROM (SELECT h.hour, h.slot, h.reason, t.partition
			FROM (SELECT * FROM pending_telemetry_hours(until) ORDER BY 1 LIMIT max_hours) h
				LEFT JOIN telemetry_partition('telemetry') t ON t.period @> h.hour) p
		GROUP BY 1, 2, 3 ORDER BY min(p.hour)
	LOOP
		IF chunk.only_counted THEN
			WITH mark AS (
				DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY (chunk.hours) AND d.since >= chunk.starts AND d.since < chunk.ends
				RETURNING d.since, d.came, d.gone)
			INSERT INTO telemetry_arrival AS a (since, came, gone)
			SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
			ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone;
			RETURN QUERY SELECT u.hour, chunk.slot, 'counted', 0::bigint, 0::bigint, 0::bigint FROM unnest(chunk.hours) u (hour);
			CONTINUE;
		END IF;
		RETURN QUERY
		WITH fresh AS MATERIALIZED (
			SELECT t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at) AS hour,
				telemetry_agg(t.sampled_at, t.latency_ms, t.ok, chunk.slot) AS summary,
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0) AS work, sum(t.energy_mwh) AS energy_mwh, max(t.sampled_at) AS last_at
			FROM telemetry t
			WHERE t.sampled_at >= chunk.starts AND t.sampled_at < chunk.ends AND (chunk.gapless OR hour_of(t.sampled_at) = ANY (chunk.hours))
			GROUP BY t.node_id, t.service_type, t.service_key, hour_of(t.sampled_at)
		),
		mark AS (
			DELETE FROM telemetry_dirty d WHERE hour_of(d.since) = ANY (chunk.hours) AND d.since >= chunk.starts AND d.since < chunk.ends
			RETURNING d.since, d.came, d.gone
		),
		counted AS (
			INSERT INTO telemetry_arrival AS a (since, came, gone)
			SELECT m.since, sum(m.came), sum(m.gone) FROM mark m GROUP BY m.since
			ON CONFLICT (since) DO UPDATE SET came = a.came + excluded.came, gone = a.gone + excluded.gone
		),
		-- summaries that are right already stay untouched: after one late row
		-- that is all but one of the hour
		corrected AS (
			UPDATE telemetry_hour o SET summary = f.summary, work = f.work, energy_mwh = f.energy_mwh
			FROM fresh f
			WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key)
				AND (o.summary, o.work, o.energy_mwh) IS DISTINCT FROM (f.summary, f.work, f.energy_mwh)
			RETURNING o.hour
		),
		removed AS (
			DELETE FROM telemetry_hour o
			WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND o.hour = ANY (chunk.hours)
				AND NOT EXISTS (SELECT FROM fresh f WHERE (f.hour, f.node_id, f.service_key) = (o.hour, o.node_id, o.service_key))
			RETURNING o.hour
		),
		added AS (
			INSERT INTO telemetry_hour (node_id, service_type, hour, summary, work, energy_mwh)
			SELECT f.node_id, f.service_type, f.hour, f.summary, f.work, f.energy_mwh
			FROM fresh f
			WHERE NOT EXISTS (SELECT FROM telemetry_hour o
				WHERE o.hour >= chunk.starts AND o.hour < chunk.ends AND (o.hour, o.node_id, o.service_key) = (f.hour, f.node_id, f.service_key))
			RETURNING hour
		),
		seen AS (
			INSERT INTO telemetry_reporter AS r (node_id, last_at)
			SELECT f.node_id, max(f.last_at) FROM fresh f GROUP BY f.node_id
			ON CONFLICT (node_id) DO UPDATE SET last_at = excluded.last_at WHERE excluded.last_at > r.last_at
		),
		result AS (
			SELECT u.hour, u.reason, count(f.node_id) AS summaries, coalesce(sum(samples(f.summary)), 0)::bigint AS samples
			FROM unnest(chunk.hours, chunk.reasons) u (hour, reason) LEFT JOIN fresh f ON f.hour = u.hour
			GROUP BY u.hour, u.reason
		),
		noted AS (
			INSERT INTO telemetry_rolled AS o (hour, slot, samples, rolled_at)
			SELECT s.hour, chunk.slot, s.samples, clock_timestamp() FROM result s
			ON CONFLICT (hour) DO UPDATE SET slot = excluded.slot, samples = excluded.samples, rolls = o.rolls + 1, rolled_at = excluded.rolled_at
		)
		SELECT s.hour, chunk.slot, s.reason, s.summaries, s.samples, count(c.hour)
		FROM result s LEFT JOIN (SELECT * FROM corrected UNION ALL SELECT * FROM removed UNION ALL SELECT * FROM added) c ON c.hour = s.hour
		GROUP BY s.hour, s.reason, s.summaries, s.samples
		ORDER BY s.hour;
	END LOOP;
END $$;

COMMENT ON FUNCTION roll_telemetry_hours(timestamptz, int) IS
'rolls telemetry up into telemetry_hour: the hours that ended by until (NULL: now) and are not rolled up yet or have changed since, oldest first, at most max_hours (NULL: all), and no other hour. Returns each with its slot, the reason (see pending_telemetry_hours), its number of summaries, the raw rows in them and how many summaries it wrote or removed. One transaction: done or not done; safe to repeat, safe beside loaders; a second session at the same time returns at once, saying so. No epoch depends on whether or when it ran. Errors: max_hours below 1';

CREATE PROCEDURE roll_telemetry(until timestamptz DEFAULT NULL, batch int DEFAULT 24)
LANGUAGE plpgsql AS $$
DECLARE
	stop timestamptz := coalesce(until, pg_catalog.now());
	todo bigint;
	done bigint;
	more bigint;
BEGIN
	SELECT pg_catalog.count(*) INTO todo FROM @extschema@.pending_telemetry_hours(stop);
	done := 0;
	-- no longer than what there was to do at the start, so that it ends beside any load
	WHILE done OPERATOR(pg_catalog.<) todo LOOP
		SELECT pg_catalog.count(*) INTO more FROM @extschema@.roll_telemetry_hours(stop, batch);
		COMMIT;
		EXIT WHEN more OPERATOR(pg_catalog.=) 0;
		done := done OPERATOR(pg_catalog.+) more;
		RAISE NOTICE '% of % hours rolled up', done, todo;
	END LOOP;
END $$;

COMMENT ON PROCEDURE roll_telemetry(timestamptz, int) IS
'roll_telemetry_hours until nothing is left to do, with a commit after each batch of hours, so that what is done stays done if it is stopped; for schedulers and for large backlogs. Errors: within a transaction block; batch below 1';

CREATE FUNCTION verify_telemetry_hours(period tstzrange)
RETURNS TABLE (hour timestamptz, node_id bigint, service_type code)
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
	WITH hours AS MATERIALIZED (
		SELECT r.hour, r.slot FROM telemetry_rolled r
		WHERE r.hour < upper(period) AND r.hour > lower(period) - interval '1 hour' AND r.slot IS NOT NULL AND NOT r.raw_dropped
			AND tstzrange(r.hour, r.hour + interval '1 hour') <@ (SELECT telemetry_span('telemetry', watched => true))
			AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= r.hour AND d.since < r.hour + interval '1 hour')
	)
	SELECT coalesce(a.hour, b.hour), coalesce(a.node_id, b.node_id), coalesce(a.service_type, b.service_type)
	FROM (SELECT o.hour, o.node_id, o.service_type, o.service_key, o.summary, o.work, o.energy_mwh
			FROM telemetry_hour o JOIN hours h ON h.hour = o.hour
			WHERE o.hour < upper(period) AND o.hour > lower(period) - interval '1 hour') a
		FULL JOIN (SELECT h.hour, t.node_id, t.service_type, t.service_key, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, h.slot) AS summary,
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0) AS work, sum(t.energy_mwh) AS energy_mwh
			FROM telemetry t JOIN hours h ON h.hour = hour_of(t.sampled_at)
			WHERE t.sampled_at < upper(period) + interval '1 hour' AND t.sampled_at > lower(period) - interval '1 hour'
			GROUP BY h.hour, t.node_id, t.service_type, t.service_key) b
		ON b.hour = a.hour AND b.node_id = a.node_id AND b.service_key = a.service_key
	WHERE (a.summary, a.work, a.energy_mwh) IS DISTINCT FROM (b.summary, b.work, b.energy_mwh)
$$;

COMMENT ON FUNCTION verify_telemetry_hours(tstzrange) IS
'compares telemetry_hour with the raw rows, over the hours of a period that are rolled up, not dirty, and whose raw rows are there; returns what differs, which is nothing unless somebody wrote behind the triggers. NULL for NULL';

ALTER TABLE policy ADD COLUMN grace_period interval NOT NULL DEFAULT '1 hour' CHECK (grace_period >= interval '0');

COMMENT ON COLUMN policy.grace_period IS 'how long after its end an epoch waits for late telemetry before it should be computed, unless the epoch says otherwise; see epoch_closes_at()';

ALTER TABLE policy ADD COLUMN silent_after interval NOT NULL DEFAULT '1 hour' CHECK (silent_after > interval '0');

COMMENT ON COLUMN policy.silent_after IS 'a node whose latest telemetry is older than that of the most recent node by more than this is silent: the global watermark does not wait for it';

ALTER TABLE epoch ADD COLUMN grace_period interval CHECK (grace_period >= interval '0');

COMMENT ON COLUMN epoch.grace_period IS 'how long it waits for late telemetry after its end; NULL: as its policy says. Not an input';

CREATE FUNCTION epoch_closes_at(epoch_id bigint) RETURNS timestamptz
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT (upper(e.period) AT TIME ZONE 'UTC' + coalesce(e.grace_period, p.grace_period)) AT TIME ZONE 'UTC'
	FROM epoch e LEFT JOIN policy p ON p.policy_id = coalesce(e.policy_id,
		(SELECT l.policy_id FROM policy l WHERE l.effective_from <= lower(e.period) ORDER BY l.effective_from DESC LIMIT 1))
	WHERE e.epoch_id = (SELECT (known_epoch(epoch_closes_at.epoch_id)).epoch_id);
END;
COMMENT ON FUNCTION epoch_closes_at(bigint) IS
'end of an epoch''s grace period: its end plus its own grace_period, or its policy''s, days being 24 hours. Schedulers compute it then; run_epoch does so whenever it is told to, once the epoch has ended. NULL for NULL; errors: no such epoch';

CREATE FUNCTION telemetry_changes(period tstzrange, OUT came numeric, OUT gone numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT coalesce(sum(c.came), 0), coalesce(sum(c.gone), 0)
	FROM (SELECT a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(period) AND a.since < upper(period)
		UNION ALL SELECT d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(period) AND d.since < upper(period)) c;
END;

COMMENT ON FUNCTION telemetry_changes(tstzrange) IS
'how many rows of telemetry ever came and went in the period of an epoch (of another period: in the hours that start in it), whether rolled up or not. Neither ever falls, and rolling up changes neither: what two calls differ by is what was written between them. NULL for NULL';

CREATE TABLE epoch_computation (
	epoch_id bigint NOT NULL REFERENCES epoch,
	computation int NOT NULL CHECK (computation >= 1),
	computed_at timestamptz NOT NULL,
	computed_by name NOT NULL,
	reason text NOT NULL CHECK (reason <> ''),
	came numeric(38,0) NOT NULL CHECK (came >= 0),
	gone numeric(38,0) NOT NULL CHECK (gone >= 0),
	late_came numeric(38,0) NOT NULL CHECK (late_came >= 0),
	late_gone numeric(38,0) NOT NULL CHECK (late_gone >= 0),
	digest bytea NOT NULL CHECK (length(digest) = 32),
	PRIMARY KEY (epoch_id, computation)
);

COMMENT ON TABLE epoch_computation IS 'every computation of every epoch, the first and those again, with the reason; rows are only ever added';

COMMENT ON COLUMN epoch_computation.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_computation.computation IS '1 for the first, 2 for the first recomputation, and so on';

COMMENT ON COLUMN epoch_computation.computed_at IS 'when; not an input';

COMMENT ON COLUMN epoch_computation.computed_by IS 'the database user who called run_epoch';

COMMENT ON COLUMN epoch_computation.reason IS 'why: as given to run_epoch, else as found';

COMMENT ON COLUMN epoch_computation.came IS 'rows of telemetry that had ever come in its period, see telemetry_changes()';

COMMENT ON COLUMN epoch_computation.gone IS 'rows of telemetry that had ever gone in its period';

COMMENT ON COLUMN epoch_computation.late_came IS 'of them since the computation before: the late rows that this one takes in';

COMMENT ON COLUMN epoch_computation.late_gone IS 'of them since the computation before';

COMMENT ON COLUMN epoch_computation.digest IS 'the digest that it led to; the same as before: nothing that counts had changed';

CREATE FUNCTION epoch_computation_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION 'cannot change or remove rows of epoch_computation'
		USING ERRCODE = 'restrict_violation', HINT = 'It records what happened; CALL run_epoch adds to it.';
END $$;

COMMENT ON FUNCTION epoch_computation_guard() IS 'trigger: epoch_computation is append-only';

CREATE TRIGGER epoch_computation_guard BEFORE UPDATE OR DELETE OR TRUNCATE ON epoch_computation FOR EACH STATEMENT EXECUTE FUNCTION epoch_computation_guard();

CREATE FUNCTION late_telemetry(epoch_id bigint, OUT came numeric, OUT gone numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT t.came - c.came, t.gone - c.gone
	FROM epoch e, LATERAL (SELECT x.came, x.gone FROM epoch_computation x WHERE x.epoch_id = e.epoch_id ORDER BY x.computation DESC LIMIT 1) c,
		LATERAL telemetry_changes(e.period) t
	WHERE e.epoch_id = (SELECT (known_epoch(late_telemetry.epoch_id)).epoch_id);
END;
COMMENT ON FUNCTION late_telemetry(bigint) IS
'rows of telemetry that came and went in the period of an epoch after it was last computed. NULL for NULL and for an epoch never computed; errors: no such epoch';

CREATE FUNCTION record_computation(epoch_id bigint, reason text, came numeric, gone numeric) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	last epoch_computation;
	why text := reason;
BEGIN
	PERFORM (opened_epoch(record_computation.epoch_id)).epoch_id;
	SELECT * INTO last FROM epoch_computation c WHERE c.epoch_id = record_computation.epoch_id ORDER BY c.computation DESC LIMIT 1;
	IF why IS NULL THEN
		why := CASE WHEN last.computation IS NULL THEN 'first computation'
			WHEN came > last.came OR gone > last.gone THEN format('late telemetry: %s rows came, %s went', came - last.came, gone - last.gone)
			ELSE 'no reason given' END;
	END IF;
	INSERT INTO epoch_computation (epoch_id, computation, computed_at, computed_by, reason, came, gone, late_came, late_gone, digest)
	SELECT e.epoch_id, coalesce(last.computation, 0) + 1, e.computed_at, session_user, why, record_computation.came, record_computation.gone,
		record_computation.came - coalesce(last.came, record_computation.came), record_computation.gone - coalesce(last.gone, record_computation.gone), e.digest
	FROM epoch e WHERE e.epoch_id = record_computation.epoch_id;
	IF last.computation IS NOT NULL THEN
		RAISE NOTICE 'epoch %: computed again (%)', record_computation.epoch_id, why;
	END IF;
END $$;
COMMENT ON FUNCTION record_computation(bigint, text, numeric, numeric) IS
'run_epoch step, after the epoch is computed: adds to epoch_computation, with what telemetry_changes said before the computation read anything; where no reason is given it is found out';

CREATE FUNCTION epoch_late_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	late record;
BEGIN
	SELECT * INTO late FROM late_telemetry(NEW.epoch_id);
	IF late.came > 0 OR late.gone > 0 THEN
		RAISE EXCEPTION 'epoch % cannot become final: since it was computed % rows of its telemetry came and % went', NEW.epoch_id, late.came, late.gone
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) to take them in.', NEW.epoch_id);
	END IF;
	RETURN NEW;
END $$;

COMMENT ON FUNCTION epoch_late_guard() IS 'trigger: an epoch becomes final with all the telemetry that has arrived by then, or not at all';

CREATE TRIGGER epoch_late_guard BEFORE UPDATE ON epoch FOR EACH ROW WHEN (OLD.status <> 'final' AND NEW.status = 'final') EXECUTE FUNCTION epoch_late_guard();

SELECT pg_catalog.pg_extension_config_dump('telemetry_dirty', '');

SELECT pg_catalog.pg_extension_config_dump('telemetry_arrival', '');

SELECT pg_catalog.pg_extension_config_dump('telemetry_rolled', '');

SELECT pg_catalog.pg_extension_config_dump('telemetry_reporter', '');

SELECT pg_catalog.pg_extension_config_dump('epoch_computation', '');

REVOKE ALL ON FUNCTION mark_telemetry_hours(tstzrange), forget_telemetry_partition(regclass, tstzrange), watch_telemetry_partition(regclass),
	roll_telemetry_hours(timestamptz, int), record_computation(bigint, text, numeric, numeric) FROM PUBLIC;

CREATE FUNCTION next_emission(emission numeric, decay numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT floor(emission * (1 - decay));
END;

COMMENT ON FUNCTION next_emission(numeric, numeric) IS 'what the next epoch gets after one that got emission base units: floor(emission * (1 - decay)); NULL for NULL';

CREATE FUNCTION emission(policy_id bigint, emission_no int) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	budget numeric;
	decay numeric;
BEGIN
	SELECT p.emission, p.emission_decay INTO budget, decay FROM policy p WHERE p.policy_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('policy', $1);
	END IF;
	IF $2 < 1 THEN
		RAISE EXCEPTION 'emission % does not exist', $2
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Emissions are counted from 1.';
	END IF;
	IF decay > 0 THEN
		FOR i IN 2 .. $2 LOOP
			EXIT WHEN budget = 0 OR budget IS NULL;
			budget := next_emission(budget, decay);
		END LOOP;
	END IF;
	RETURN budget;
END $$;

COMMENT ON FUNCTION emission(bigint, int) IS
'base units of the emission_no-th epoch that takes its budget from a policy: the first gets policy.emission, each next one next_emission() of the one before. Integers all the way: less than 1 / emission_decay below emission * (1 - emission_decay) ^ (emission_no - 1), never above. NULL for NULL and for a policy without emission; errors: unknown policy, emission_no below 1';

CREATE FUNCTION emission_schedule(policy_id bigint, emissions int) RETURNS TABLE (emission_no int, budget numeric, total numeric)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	decay numeric;
BEGIN
	SELECT p.emission_decay INTO decay FROM policy p WHERE p.policy_id = $1;
	budget := emission($1, 1);
	total := 0;
	FOR i IN 1 .. CASE WHEN budget IS NULL THEN 0 ELSE $2 END LOOP
		emission_no := i;
		total := total + budget;
		RETURN NEXT;
		budget := next_emission(budget, decay);
	END LOOP;
END $$;

COMMENT ON FUNCTION emission_schedule(bigint, int) IS
'the first so many emissions of a policy with their running total, base units; no row for NULL or a policy without emission. Errors: unknown policy';

CREATE FUNCTION next_emission_no(policy_id bigint, epoch_id bigint, starts timestamptz) RETURNS int
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT count(*)::int + 1 FROM epoch e
	WHERE e.emission_no IS NOT NULL AND e.epoch_id <> next_emission_no.epoch_id AND lower(e.period) < next_emission_no.starts
		AND coalesce(e.policy_id, policy_in_effect(lower(e.period))) = next_emission_no.policy_id;
END;

COMMENT ON FUNCTION next_emission_no(bigint, bigint, timestamptz) IS
'which emission of a policy an epoch with this key and start would take: one more than the epochs before it take from the policy';

CREATE FUNCTION epoch_emission() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	p policy;
BEGIN
	IF NEW.budget IS NOT NULL THEN
		IF TG_OP = 'UPDATE' AND NEW.budget <> OLD.budget AND NEW.emission_no = OLD.emission_no THEN
			NEW.emission_no := NULL;
		END IF;
		RETURN NEW;
	END IF;
	IF TG_OP = 'UPDATE' AND OLD.status <> 'planned' THEN
		RETURN NEW;	-- refused by what comes after
	END IF;
	SELECT * INTO p FROM policy WHERE policy.policy_id = coalesce(NEW.policy_id, policy_in_effect(lower(NEW.period)));
	IF p.emission IS NULL THEN
		RAISE EXCEPTION 'epoch for % has no budget', NEW.period
			USING ERRCODE = 'not_null_violation', DETAIL = CASE WHEN p.policy_id IS NULL THEN 'No policy is in effect at its start.'
				ELSE format('Policy %s (%s) has no emission.', p.policy_id, p.name) END,
				HINT = 'Give it a budget, or have a policy with an emission take effect by its start.';
	END IF;
	NEW.emission_no := next_emission_no(p.policy_id, NEW.epoch_id, lower(NEW.period));
	NEW.budget := emission(p.policy_id, NEW.emission_no);
	RETURN NEW;
END $$;

COMMENT ON FUNCTION epoch_emission() IS
'trigger: an epoch without a budget gets the next emission of its policy, the one it names or the one in effect at its start; giving it a budget takes it out of the count';

CREATE TRIGGER epoch_emission BEFORE INSERT OR UPDATE ON epoch FOR EACH ROW EXECUTE FUNCTION epoch_emission();

CREATE FUNCTION ingest_telemetry(source regclass, clock_tolerance interval DEFAULT '5 minutes',
	OUT moved bigint, OUT duplicates bigint, OUT rejected bigint) RETURNS record
AS 'MODULE_PATHNAME', 'sr_ingest_telemetry' LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex';

COMMENT ON FUNCTION ingest_telemetry(regclass, interval) IS
'moves all rows of a table, or of a view from which rows can be deleted, into telemetry, or into telemetry_reject with the reason, in one transaction: interrupted at any time it has done nothing, repeated it adds nothing. Columns are matched by name: node_id, sampled_at, ok; service_type, latency_ms, work, energy_mwh (NULL where missing), others are kept of rejected rows only. They may be text or of fitting types; a time in text is ISO 8601, UTC where it names no zone. moved: rows put into telemetry; duplicates: rows that say what a row of telemetry, or another one of the source, says already (no work and work 0 are the same), which are dropped; rejected: rows put into telemetry_reject: values missing, unreadable, NaN, infinite, negative, clocks more than clock_tolerance ahead, unknown nodes and services, work without a service, days that have no partition or are out of retention, and rows with the node, time and service of another that say something else (of several new ones the worst for the node stays: not ok, then slowest, then least work, then most energy). Needs SELECT and DELETE on the source, whose triggers run with the rights of its owner; waits for another ingest of the same source. Errors: NULL, no table, a foreign table, a table of the ledger, columns missing or of unfitting type, rules or INSTEAD OF triggers on DELETE, row-level security';

REVOKE ALL ON FUNCTION ingest_telemetry(regclass, interval) FROM PUBLIC;

CREATE FUNCTION retry_telemetry_reject(reason_like text DEFAULT '%', clock_tolerance interval DEFAULT '5 minutes',
	OUT moved bigint, OUT duplicates bigint, OUT rejected bigint) RETURNS record
AS 'MODULE_PATHNAME', 'sr_retry_telemetry_reject' LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex';

COMMENT ON FUNCTION retry_telemetry_reject(text, interval) IS
'ingests again the rows of telemetry_reject whose reason is LIKE reason_like, once their partitions were made or their nodes registered; those that still cannot be moved are rejected again, with their row and source as they were. Counts as in ingest_telemetry. Errors: NULL';

REVOKE ALL ON FUNCTION retry_telemetry_reject(text, interval) FROM PUBLIC;

CREATE TABLE telemetry_dropped (
	relation code NOT NULL CHECK (relation IN ('telemetry', 'telemetry_hour')),
	period tstzrange NOT NULL CHECK (NOT isempty(period)),
	bytes bigint NOT NULL CHECK (bytes >= 0),
	dropped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (relation, period, dropped_at)
);

COMMENT ON TABLE telemetry_dropped IS 'what retention has dropped: ingest_telemetry rejects rows of these times as out of retention, unless a partition was made for them again';

COMMENT ON COLUMN telemetry_dropped.relation IS 'telemetry or telemetry_hour';

COMMENT ON COLUMN telemetry_dropped.period IS 'the time that the partition held';

COMMENT ON COLUMN telemetry_dropped.bytes IS 'its size with its indexes';

COMMENT ON COLUMN telemetry_dropped.dropped_at IS 'when it was dropped';

CREATE FUNCTION drop_telemetry_partitions(retention interval, hour_retention interval DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER
-- a drop waits for every reader, and keeps new ones waiting: not for long
SET lock_timeout = '2s' SET timezone = 'UTC' SET datestyle = 'ISO' SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	settled timestamptz;
	past record;
	gone int := 0;
BEGIN
	IF retention IS NULL OR retention < interval '0' OR hour_retention < interval '0' THEN
		RAISE EXCEPTION 'cannot keep telemetry for %', CASE WHEN retention >= interval '0' THEN hour_retention ELSE retention END
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time that is not negative, for example ''90 days''.';
	END IF;
	-- No epoch can come to need what is before this: epochs become final in order,
	-- and none can be planned before one that is computed.
	SELECT max(upper(e.period)) INTO settled FROM @extschema@.epoch e
	WHERE e.status = 'final'
		AND NOT EXISTS (SELECT FROM @extschema@.epoch o WHERE o.status <> 'final' AND lower(o.period) < upper(e.period));
	FOR past IN
		SELECT p.partition, p.period, k.relname, upper(p.period) <= settled AS is_settled
		FROM (VALUES ('telemetry', retention), ('telemetry_hour', hour_retention)) k (relname, span),
			@extschema@.telemetry_partition(format('%I.%I', '@extschema@', k.relname)::regclass) p
		WHERE upper(p.period) <= now() - k.span
		ORDER BY p.period, k.relname
	LOOP
		IF past.is_settled IS NOT TRUE THEN
			RAISE NOTICE '% is kept: not every epoch up to its end, %, is final', past.partition, upper(past.period);
			CONTINUE;
		END IF;
		BEGIN
			INSERT INTO @extschema@.telemetry_dropped (relation, period, bytes)
			VALUES (past.relname, past.period, pg_total_relation_size(past.partition));
			EXECUTE format('DROP TABLE %s', past.partition);
			gone := gone + 1;
		EXCEPTION WHEN lock_not_available THEN
			RAISE WARNING '% was not dropped: it is in use', past.partition
				USING HINT = 'The next call will try again.';
			EXIT;
		END;
	END LOOP;
	RETURN gone;
END $$;

COMMENT ON FUNCTION drop_telemetry_partitions(interval, interval) IS
'drops the partitions of telemetry that ended longer than retention ago, and those of telemetry_hour that ended longer than hour_retention ago (NULL: none), of which every epoch up to their end is final; returns how many, and writes each to telemetry_dropped. Partitions whose epochs are not final are kept, with a notice; one that is in use is left to the next call, with a warning. Errors: a retention that is NULL or negative';

CREATE FUNCTION keep_telemetry_partitions(ahead interval DEFAULT '7 days', retention interval DEFAULT NULL, hour_retention interval DEFAULT NULL,
	OUT made int, OUT dropped int) RETURNS record
LANGUAGE plpgsql SECURITY DEFINER SET timezone = 'UTC' SET datestyle = 'ISO' SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	start timestamptz := now() - interval '1 day';
	newest timestamptz;
BEGIN
	IF ahead IS NULL OR ahead < interval '0' THEN
		RAISE EXCEPTION 'cannot make telemetry partitions % ahead', ahead
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time that is not negative, for example ''7 days''.';
	END IF;
	-- the days since it was last called, should that be a while ago
	SELECT max(upper(p.period)) INTO newest FROM @extschema@.telemetry_partition('@extschema@.telemetry') p;
	IF newest < start AND newest > now() - interval '31 days' THEN
		start := newest;
	END IF;
	made := @extschema@.make_telemetry_partitions(start, now() + ahead);
	dropped := 0;
	IF retention IS NOT NULL THEN
		dropped := @extschema@.drop_telemetry_partitions(retention, hour_retention);
	END IF;
END $$;

COMMENT ON FUNCTION keep_telemetry_partitions(interval, interval, interval) IS
'to be called once a day or more often: makes the missing partitions from yesterday, or from the end of the newest one if that was within 31 days, until ahead from now, and with retention drops old ones by drop_telemetry_partitions; returns how many of each. Errors: a time that is negative';

SELECT pg_catalog.pg_extension_config_dump('telemetry_dropped', '');

CREATE FUNCTION location_excess(location geography, beacon geography, rtt_ms double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- Distances are good to some ten nanometres and come in steps of ten. Rounding
	-- down to a millimetre, far above that, keeps a round trip at exactly min_rtt
	-- from showing an excess, in whichever order the distance was taken.
	SELECT floor((ST_Distance(geog_checked_point(location), geog_checked_point(beacon), true) - rtt_distance(rtt_ms)) * 1000) / 1000;
END;

COMMENT ON FUNCTION location_excess(geography, geography, double precision) IS
'metres by which a place is farther from a beacon than its round-trip time in ms allows: WGS84 geodesic less rtt_distance(rtt_ms), rounded down to a millimetre. At most 0 for every rtt_ms of at least min_rtt(location, beacon), and never more for a longer time; NULL for NULL; anything but points and times that are negative, NaN, infinite or too long for rtt_distance are errors';

CREATE TABLE epoch_beacon (
	epoch_id bigint NOT NULL REFERENCES epoch,
	beacon_id bigint NOT NULL REFERENCES beacon,
	location geography(Point,4326) NOT NULL,
	nodes bigint NOT NULL CHECK (nodes > 0),
	violations bigint NOT NULL CHECK (violations BETWEEN 0 AND nodes),
	PRIMARY KEY (epoch_id, beacon_id)
);

COMMENT ON TABLE epoch_beacon IS 'every beacon that measured a node of an epoch, as it was then. One that finds many nodes impossible which others find possible lies itself, or its place is wrong';

COMMENT ON COLUMN epoch_beacon.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_beacon.beacon_id IS 'the beacon';

COMMENT ON COLUMN epoch_beacon.location IS 'its place then';

COMMENT ON COLUMN epoch_beacon.nodes IS 'nodes of the epoch that it measured';

COMMENT ON COLUMN epoch_beacon.violations IS 'of them those whose place it shows to be impossible';

SELECT pg_catalog.pg_extension_config_dump('epoch_beacon', '');

CREATE FUNCTION beacon_sight_query() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $f$
	SELECT $q$
		SELECT f.node_id, f.beacon_id, f.rtt_ms, location_excess(n.location, b.location, f.rtt_ms) AS excess_m
		FROM (SELECT r.node_id, r.beacon_id,
					-- thirty years: beyond the Earth by far, and rtt_distance can take it
					least(min(r.rtt_ms), 1e12) AS rtt_ms
				FROM beacon_rtt r JOIN node m ON m.node_id = r.node_id
				WHERE r.measured_at >= lower($1) AND r.measured_at < upper($1) AND {slice r.node_id}
					AND r.measured_at >= m.joined_at AND (m.left_at IS NULL OR r.measured_at < m.left_at)
				GROUP BY r.node_id, r.beacon_id) f
			JOIN node n ON n.node_id = f.node_id JOIN beacon b ON b.beacon_id = f.beacon_id $q$
$f$;
COMMENT ON FUNCTION beacon_sight_query() IS
'query, for sliced_query, of beacon_sight for the period $1. The one place where an epoch reads beacon_rtt';

CREATE FUNCTION beacon_sight(period tstzrange) RETURNS TABLE (node_id bigint, beacon_id bigint, rtt_ms double precision, excess_m double precision)
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
BEGIN
	RETURN QUERY EXECUTE sliced_query(beacon_sight_query()) USING period;
END $$;
COMMENT ON FUNCTION beacon_sight(tstzrange) IS
'fastest round-trip time of each node and beacon within a period and the node''s membership (at most 1e12 ms), and its location_excess, as an epoch measures them';

CREATE FUNCTION verify_location(epoch_id bigint) RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	slack double precision;
	bad bigint;
BEGIN
	PERFORM (opened_epoch($1)).epoch_id;
	SELECT p.location_slack_m INTO slack FROM epoch e JOIN policy p USING (policy_id) WHERE e.epoch_id = $1;
	-- A millimetre of tolerance: another version of the geodesic's library may
	-- differ in the last bits, and rounding makes that one step.
	SELECT count(*) INTO bad
	FROM epoch_node n LEFT JOIN epoch_beacon b ON b.epoch_id = n.epoch_id AND b.beacon_id = n.worst_beacon_id
	WHERE n.epoch_id = $1 AND (n.beacons > 0 OR num_nonnulls(n.worst_beacon_id, n.worst_rtt_ms, n.fastest_rtt_ms) > 0)
		AND (b.location IS NULL OR n.fastest_rtt_ms <= n.worst_rtt_ms IS NOT TRUE
			OR (n.violations > 0) <> (n.location_excess_m > slack)
			OR abs(n.location_excess_m - location_excess(n.location, b.location, n.worst_rtt_ms)) <= 0.0015 IS NOT TRUE);
	RETURN QUERY SELECT 'evidence of places', bad = 0, format('%s nodes differ', bad);

	RETURN QUERY
	SELECT 'counts of beacons', (n.beacons, n.violations) = (b.nodes, b.violations),
		format('nodes count %s round trips and %s violations, beacons %s and %s', n.beacons, n.violations, b.nodes, b.violations)
	FROM (SELECT coalesce(sum(x.beacons), 0) AS beacons, coalesce(sum(x.violations), 0) AS violations FROM epoch_node x WHERE x.epoch_id = $1) n,
		(SELECT coalesce(sum(x.nodes), 0) AS nodes, coalesce(sum(x.violations), 0) AS violations FROM epoch_beacon x WHERE x.epoch_id = $1) b;
END $$;
COMMENT ON FUNCTION verify_location(bigint) IS
'the part of verify_epoch that recomputes the evidence on nodes'' places from the frozen places and round-trip times';

CREATE OR REPLACE FUNCTION ramp(x double precision, a double precision, b double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_ramp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE OR REPLACE FUNCTION exact_numeric(x double precision) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_exact_numeric' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE OR REPLACE FUNCTION overlap_seconds(a tstzrange, b tstzrange) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_overlap_seconds' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION refuse_argument(what text, value text, hint text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION '% is %', what, value USING ERRCODE = 'invalid_parameter_value', HINT = hint;
END $$;

COMMENT ON FUNCTION refuse_argument(text, text, text) IS 'always an error: what is value, with the hint; for arguments of the formulas';

-- not STRICT, nor is freshness: with a CASE in it a strict function is not inlined
CREATE OR REPLACE FUNCTION slot_count(period tstzrange, slot interval) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN extract(epoch FROM slot) <= 0 THEN refuse_argument('slot in seconds', extract(epoch FROM slot)::text, 'Give a positive length of time, for example ''1 minute''.')
		ELSE ceil(extract(epoch FROM upper(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot))
			- ceil(extract(epoch FROM lower(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot)) END::bigint;
END;
COMMENT ON FUNCTION slot_count(tstzrange, interval) IS
'slots of telemetry (aligned to the Unix epoch) that start within [lower, upper) of a period; NULL for NULL or without a bound. Errors: a slot that is not positive';

CREATE OR REPLACE FUNCTION freshness(age int, freshness_epochs int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN freshness_epochs <= 0 THEN refuse_argument('freshness_epochs', freshness_epochs::text, 'Give at least 1.')
		WHEN age < freshness_epochs THEN round(1 - age::numeric / freshness_epochs, 12)
		WHEN age >= freshness_epochs THEN 0.000000000000 END;
END;
COMMENT ON FUNCTION freshness(int, int) IS 'max(0, 1 - age / K), to twelve decimals; NULL for NULL. Errors: K not above 0';

CREATE OR REPLACE FUNCTION region_multiplier(covered double precision, demand double precision, target_fraction numeric, multiplier_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (target_fraction > 0 AND target_fraction < 'Infinity') IS NOT TRUE
			THEN refuse_argument('target_fraction', target_fraction::text, 'Give a share above 0, at most 1.')
		WHEN demand > 0 THEN round(1 + (multiplier_max - 1)
			* round(greatest(0, 1 - covered / demand / target_fraction::double precision)::numeric, 15), 12) ELSE 1 END;
END;

COMMENT ON FUNCTION region_multiplier(double precision, double precision, numeric, numeric) IS
'm = 1 + (M - 1) * max(0, 1 - (covered / demand) / target_fraction), to twelve decimals; 1 for a region without demand; NULL for NULL. Errors: target_fraction not above 0';

CREATE OR REPLACE FUNCTION next_price(previous numeric, demand numeric, supply numeric, elasticity numeric, step numeric, price_min numeric, price_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- rounding goes towards the previous price: a move is never above the step
	SELECT least(price_max, greatest(price_min, CASE
		WHEN move.factor > 1 THEN trunc(previous * move.factor, 12)
		ELSE ceil(previous * move.factor * 1000000000000) / 1000000000000.000000000000 END))
	FROM (SELECT CASE
		WHEN (demand >= 0 AND demand < 'Infinity') IS NOT TRUE THEN refuse_argument('demand', demand::text, 'Give a finite number of at least 0.')
		WHEN (supply >= 0 AND supply < 'Infinity') IS NOT TRUE THEN refuse_argument('supply', supply::text, 'Give a finite number of at least 0.')
		WHEN elasticity = 0 OR (demand = 0 AND supply = 0) THEN 1
		WHEN supply = 0 THEN 1 + step
		WHEN demand = 0 THEN 1 - step
		ELSE least(1 + step, greatest(1 - step, power(round(demand, 40) / supply, elasticity))) END AS factor) move;
END;

COMMENT ON FUNCTION next_price(numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
'previous * clamp((demand / supply) ^ elasticity, 1 - step, 1 + step), then clamped to [price_min, price_max], to twelve decimals. No supply: up by a step; no demand: down by a step; neither: unchanged. NULL for NULL. Errors: demand or supply negative, NaN or infinite';

CREATE OR REPLACE FUNCTION service_pot(premium numeric, work numeric, alpha numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (work >= 0 AND work < 'Infinity') IS NOT TRUE THEN refuse_argument('work', work::text, 'Give a finite number of at least 0.')
		WHEN work > 0 THEN round(premium * power(round(work, 24), alpha), 24) ELSE 0 END;
END;

COMMENT ON FUNCTION service_pot(numeric, numeric, numeric) IS 'premium * work ^ alpha, to twenty-four decimals; 0 without work; NULL for NULL. Errors: work negative, NaN or infinite';

CREATE FUNCTION node_rating(p policy, uptime double precision, response_ms double precision, error_rate_upper double precision,
	beacons int, location_excess_m double precision)
RETURNS TABLE (availability double precision, performance double precision, trust double precision, quality numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.availability, r.performance, r.trust, node_quality(r.availability, r.performance, r.trust)
	FROM (SELECT ramp(uptime, p.uptime_floor::double precision, p.uptime_target::double precision) AS availability,
			node_performance(response_ms, error_rate_upper, p.response_limit_ms::double precision, p.response_target_ms::double precision,
				p.error_limit::double precision, p.error_target::double precision) AS performance,
			node_trust(beacons, location_excess_m, p.min_beacons, p.unattested_trust::double precision, p.location_slack_m::double precision) AS trust) r;
END;

COMMENT ON FUNCTION node_rating(policy, double precision, double precision, double precision, int, double precision) IS
'one row: availability, performance, trust and quality that a policy sees in what was measured of a node';

CREATE OR REPLACE FUNCTION supply_field(epoch_id bigint, grid_order int) RETURNS coverage
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	total numeric;
	scale numeric := 1;
	field coverage;
BEGIN
	SELECT sum(n.contribution) INTO total FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id;
	IF coalesce(total, 0) = 0 THEN
		RETURN zero_coverage(grid_order);
	END IF;
	-- the largest power of two with total * scale at most 2^36
	WHILE total * scale * 2 <= 68719476736 LOOP
		scale := scale * 2;
	END LOOP;
	WHILE total * scale > 68719476736 LOOP
		scale := scale / 2.0000000000000000000000000000000000000000000000000000000000000000;
	END LOOP;
	-- places are compared as bytes: as geography they have to be sorted, which takes longer than the field
	SELECT coverage_agg(ST_GeogFromWKB(s.spot), s.service_radius_m, (s.contribution * scale)::double precision, grid_order) / scale::double precision INTO field
	FROM (SELECT ST_AsBinary(n.location) AS spot, n.service_radius_m, sum(n.contribution) AS contribution
		FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.contribution > 0
		GROUP BY ST_AsBinary(n.location), n.service_radius_m) s;
	RETURN field;
END $$;


CREATE OR REPLACE FUNCTION epoch_owner(epoch_id bigint)
RETURNS TABLE (owner text, resource_type code, hardware_id code, provider_id bigint, units numeric, opening_mark numeric)
LANGUAGE sql STABLE -- not STRICT, so that who asks for some kinds only has no others summed up
BEGIN ATOMIC
	SELECT coalesce('hardware ' || o.hardware_id, 'provider ' || o.provider_id), o.resource_type, o.hardware_id, o.provider_id, o.units, o.opening_mark
	FROM (SELECT n.hardware_id, CASE WHEN n.hardware_id IS NULL THEN n.provider_id END AS provider_id, r.resource_type,
			sum(n.quality * r.units) AS units, max(r.opening_mark) AS opening_mark
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
		WHERE n.epoch_id = epoch_owner.epoch_id
		GROUP BY 1, 2, 3) o;
END;

-- What an epoch measures of its nodes: telemetry, round trips to beacons and
-- resources within the period and the node's membership.
--
-- These are the queries over the largest tables, and parallel workers share them:
-- each takes a slice of the nodes and does everything about them to the end, so
-- that one row of each node is all that has to be handed over. To that end they are
-- written as text in which {slice t.node_id} stands for the condition of the slice.

CREATE FUNCTION node_slice(node_id text) RETURNS SETOF text
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	workers int := current_setting('max_parallel_workers_per_gather');
	bits int := 0;
BEGIN
	WHILE 2 << bits <= least(workers, 16) LOOP
		bits := bits + 1;
	END LOOP;
	IF bits = 0 THEN
		RETURN NEXT 'true';
		RETURN;
	END IF;
	-- conditions of this form are those of which the planner believes that they hold for many
	RETURN QUERY
	SELECT string_agg(format('%s & %s %s', node_id, 1 << b, CASE WHEN i & (1 << b) = 0 THEN '< 1' ELSE '> 0' END), ' AND ' ORDER BY b)
	FROM generate_series(0, (1 << bits) - 1) i, generate_series(0, bits - 1) b GROUP BY i;
END $$;
COMMENT ON FUNCTION node_slice(text) IS
'conditions on the node_id of this name (such as t.node_id), exactly one of which holds for each node: as many as max_parallel_workers_per_gather has workers, rounded down to a power of two. NULL for NULL: no row';

CREATE FUNCTION sliced_query(query text, slices boolean DEFAULT true) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT string_agg(regexp_replace(query, '\{slice (\w+\.node_id)\}', '(' || replace(s, 'node_id', '\1') || ')', 'g'), ' UNION ALL ')
	FROM (SELECT node_slice('node_id') WHERE slices UNION ALL SELECT 'true' WHERE NOT slices) x (s)
$$;
COMMENT ON FUNCTION sliced_query(text, boolean) IS
'a query with {slice t.node_id} in it, once for each slice of the nodes, as a UNION ALL whose parts parallel workers can take; without slices once for all nodes. NULL for NULL';

-- ---- telemetry ----

CREATE TYPE telemetry_part AS (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric);
COMMENT ON TYPE telemetry_part IS 'part of the telemetry of a node and service (NULL: heartbeats)';

CREATE FUNCTION telemetry_hour_query(hours tstzmultirange) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
	-- the bounds are written into the query, so that partitions without any of the time are not even planned for
	SELECT format($q$
		SELECT o.node_id, o.service_type, rollup(o.summary) AS summary, sum(o.work) AS work, sum(o.energy_mwh) AS energy_mwh
		FROM telemetry_hour o LEFT JOIN (
			SELECT m.node_id, m.joined_at, m.left_at FROM node m WHERE m.joined_at > %1$L OR m.left_at < %2$L) n ON n.node_id = o.node_id
		WHERE o.hour >= %1$L AND o.hour < %2$L %3$s AND {slice o.node_id}
			AND (n.node_id IS NULL OR (o.hour >= n.joined_at AND (n.left_at IS NULL OR o.hour + interval '1 hour' <= n.left_at)))
		GROUP BY o.node_id, o.service_type $q$,
		lower(hours), upper(hours), CASE WHEN hours = tstzmultirange(range_merge(hours)) THEN '' ELSE format('AND o.hour <@ %L::tstzmultirange', hours) END)
$$;
COMMENT ON FUNCTION telemetry_hour_query(tstzmultirange) IS
'query, for sliced_query: of each node and service the summaries of these hours that lie wholly within the node''s membership, merged. NULL for NULL';

CREATE FUNCTION telemetry_hour_window(hours tstzmultirange) RETURNS SETOF telemetry_part
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT
-- Sorted, a group is merged while it is in the processor's cache; in a hash table of all groups none would be.
SET enable_hashagg = off SET parallel_tuple_cost = 0.3 SET jit = off AS $$
BEGIN
	IF NOT isempty(hours) THEN
		RETURN QUERY EXECUTE sliced_query(telemetry_hour_query(hours));
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_hour_window(tstzmultirange) IS
'what telemetry_window takes from telemetry_hour: of each node and service the summaries of these hours that lie wholly within the node''s membership, merged. NULL for NULL, no row for no hour';

CREATE FUNCTION telemetry_plan(period tstzrange, slot interval, OUT clean tstzmultirange, OUT rest tstzmultirange, OUT cut telemetry_part[])
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT SET enable_nestloop = on SET jit = off SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	starts timestamptz := coalesce(lower(period), '-infinity');
	ends timestamptz := coalesce(upper(period), 'infinity');
	raw_span tstzmultirange;	-- what there are partitions for
	watched_span tstzmultirange;
	hour_span tstzmultirange;
	pieces record;			-- of clean hours, as nodes joined or left within them
	lost record;
BEGIN
	-- this locks the two tables, so that no partition goes while they are read
	PERFORM FROM ONLY telemetry, ONLY telemetry_hour LIMIT 0;
	raw_span := telemetry_span('telemetry');
	watched_span := telemetry_span('telemetry', watched => true);
	hour_span := telemetry_span('telemetry_hour');
	SELECT coalesce(range_agg(tstzrange(o.hour, o.hour + interval '1 hour')), '{}') INTO clean
	FROM telemetry_rolled o
	WHERE o.hour >= starts AND o.hour + interval '1 hour' <= ends
		AND o.slot = $2 AND extract(year FROM $2) = 0 AND extract(month FROM $2) = 0
		AND o.hour <@ hour_span
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span
			OR (tstzrange(o.hour, o.hour + interval '1 hour') <@ watched_span
				AND NOT EXISTS (SELECT FROM telemetry_dirty d WHERE d.since >= o.hour AND d.since < o.hour + interval '1 hour')));
	rest := tstzmultirange(tstzrange(starts, ends)) - clean;

	SELECT array_agg(c.node_id) AS nodes, array_agg(c.starts) AS starts, array_agg(c.ends) AS ends,
		array_agg(DISTINCT c.hour) AS hours INTO pieces
	FROM (SELECT n.node_id, h.hour, greatest(n.joined_at, h.hour) AS starts, least(n.left_at, h.hour + interval '1 hour') AS ends
		FROM (SELECT m.node_id, hour_of(m.joined_at) AS hour FROM node m
				WHERE m.joined_at >= lower(clean) AND m.joined_at < upper(clean) AND m.joined_at > hour_of(m.joined_at)
			UNION SELECT m.node_id, hour_of(m.left_at) FROM node m
				WHERE m.left_at >= lower(clean) AND m.left_at < upper(clean) AND m.left_at > hour_of(m.left_at)) h
			JOIN node n ON n.node_id = h.node_id
		WHERE h.hour <@ clean AND EXISTS (SELECT FROM telemetry_hour o WHERE o.hour = h.hour AND o.node_id = h.node_id)) c;

	SELECT o.hour, o.slot INTO lost
	FROM telemetry_rolled o
	WHERE o.samples > 0 AND (tstzrange(o.hour, o.hour + interval '1 hour') && rest OR o.hour = ANY (pieces.hours))
		AND (o.raw_dropped OR NOT tstzrange(o.hour, o.hour + interval '1 hour') <@ raw_span)
	ORDER BY o.hour LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the raw telemetry of the hour %, which is needed, was dropped', lost.hour
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = CASE WHEN lost.slot = $2 THEN 'The period, or the membership of a node, begins or ends within the hour.'
					ELSE format('Its summaries have a slot of %s, not %s.', coalesce(lost.slot::text, '?'), $2) END,
				HINT = 'Attach the partition that held it again, or use whole hours and the slot of the summaries.';
	END IF;

	IF pieces.nodes IS NOT NULL THEN
		EXECUTE format($q$
			SELECT array_agg(x::telemetry_part)
			FROM (SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $4),
					coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
				FROM unnest($1, $2, $3) c (node_id, starts, ends)
					JOIN telemetry t ON t.node_id = c.node_id AND t.sampled_at >= c.starts AND t.sampled_at < c.ends
				WHERE t.sampled_at >= %L AND t.sampled_at < %L
				GROUP BY t.node_id, t.service_type) x $q$, lower(clean), upper(clean))
		INTO cut USING pieces.nodes, pieces.starts, pieces.ends, slot;
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_plan(tstzrange, interval) IS
'where telemetry_window finds the telemetry of a period: the hours that it takes from telemetry_hour (clean), the time for which it reads telemetry (rest), and what nodes that joined or left within a clean hour have of it (cut; NULL: nothing). NULL for NULL. Errors: raw rows are needed that were dropped';

-- As these are STABLE, all of their queries see the snapshot of the one that calls
-- them: which hours are clean, their summaries, and the raw rows of the others fit.
CREATE OR REPLACE FUNCTION telemetry_window(period tstzrange, slot interval)
RETURNS TABLE (node_id bigint, service_type code, summary telemetry_summary, work numeric, energy_mwh numeric)
LANGUAGE plpgsql STABLE STRICT ROWS 100000 SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO'
-- the server's defaults: raw rows are many, and of no use sorted, whatever suits the query that they are for
SET enable_nestloop = on SET enable_hashagg = on SET parallel_leader_participation = on
SET min_parallel_table_scan_size = '8MB' SET min_parallel_index_scan_size = '512kB' AS $$
#variable_conflict use_column
DECLARE
	plan record;
	parts text[] := '{}';
	r tstzrange;
BEGIN
	IF isempty(period) THEN
		RETURN;
	END IF;
	SELECT * INTO plan FROM telemetry_plan(period, slot);
	IF isempty(plan.rest) AND plan.cut IS NULL THEN
		RETURN QUERY SELECT * FROM telemetry_hour_window(plan.clean);
		RETURN;
	END IF;
	-- $1 clean, $2 cut, $3 rest, $4 slot
	IF NOT isempty(plan.clean) THEN
		parts := parts || 'SELECT * FROM telemetry_hour_window($1)'::text;
	END IF;
	IF plan.cut IS NOT NULL THEN
		parts := parts || 'SELECT * FROM unnest($2)'::text;
	END IF;
	FOR r IN
		-- days that hold some of the time, joined to runs: each is read once
		SELECT unnest(range_agg(tstzrange(CASE WHEN isfinite(lower(u)) THEN date_bin('1 day', lower(u), timestamptz '2000-01-01 00:00+00') ELSE lower(u) END,
			CASE WHEN isfinite(upper(u)) THEN date_bin('1 day', upper(u) - interval '1 microsecond', timestamptz '2000-01-01 00:00+00') + interval '24 hours' ELSE upper(u) END)))
			* tstzrange(coalesce(lower(period), '-infinity'), coalesce(upper(period), 'infinity'))
		FROM unnest(plan.rest) u
	LOOP
		-- as there, the bounds are written into the query
		parts := parts || format($q$
			SELECT t.node_id, t.service_type, telemetry_agg(t.sampled_at, t.latency_ms, t.ok, $4),
				coalesce(sum(t.work) FILTER (WHERE t.ok), 0), sum(t.energy_mwh)
			FROM telemetry t JOIN node n ON n.node_id = t.node_id
			WHERE t.sampled_at >= %L AND t.sampled_at < %L %s
				AND t.sampled_at >= n.joined_at AND (n.left_at IS NULL OR t.sampled_at < n.left_at)
			GROUP BY t.node_id, t.service_type $q$,
			lower(r), upper(r), CASE WHEN r <@ plan.rest THEN '' ELSE 'AND t.sampled_at <@ $3' END);
	END LOOP;
	IF parts <> '{}' THEN
		RETURN QUERY EXECUTE 'SELECT p.node_id, p.service_type, rollup(p.summary), sum(p.work), sum(p.energy_mwh) FROM ('
			|| array_to_string(parts, ' UNION ALL ')
			|| ') p (node_id, service_type, summary, work, energy_mwh) GROUP BY p.node_id, p.service_type'
			USING plan.clean, plan.cut, plan.rest, slot;
	END IF;
END $$;
COMMENT ON FUNCTION telemetry_window(tstzrange, interval) IS
'telemetry of each node and service (NULL: heartbeats) within a period and the node''s membership: summary, work of ok rows, energy of all rows in milliwatt hours: from telemetry_hour the hours that lie wholly in period and membership, are rolled up with this slot and not dirty, from telemetry everything else; the result is the same, to the bit, as from raw rows alone. NULL for NULL, no row for an empty period. Errors: raw rows are needed that were dropped';

-- ---- all that is measured of a node ----

CREATE TYPE measured_service AS (service_type code, work numeric, energy_mwh numeric, samples bigint,
	p50_latency_ms double precision, p95_latency_ms double precision, p99_latency_ms double precision, error_rate_upper double precision);
COMMENT ON TYPE measured_service IS 'what was measured of a node in a service, as epoch_node_service has it';
CREATE TYPE measured_resource AS (resource_type code, units numeric);
COMMENT ON TYPE measured_resource IS 'units of a kind of resource of a node, averaged by time over a period, to thirty decimals';
CREATE TYPE measured_beacon AS (beacon_id bigint, rtt_ms double precision, excess_m double precision);
COMMENT ON TYPE measured_beacon IS 'what a beacon saw of a node: the fastest round-trip time and its location_excess';

CREATE FUNCTION measured_telemetry_query(period tstzrange, p policy, OUT query text, OUT cut telemetry_part[], OUT slices boolean)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $$
DECLARE
	plan record;
	quantile text := format('%L::numeric::double precision', p.response_quantile);
	confidence text := format('%L::numeric::double precision', p.error_confidence);
BEGIN
	SELECT * INTO plan FROM telemetry_plan(period, p.telemetry_slot);
	cut := plan.cut;
	slices := isempty(plan.rest) AND NOT isempty(plan.clean);
	query := CASE
		WHEN NOT slices THEN format('SELECT w.* FROM telemetry_window(%L, %L) w', period, p.telemetry_slot)
		WHEN cut IS NULL THEN telemetry_hour_query(plan.clean)
		ELSE format('SELECT w.node_id, w.service_type, rollup(w.summary) AS summary, sum(w.work) AS work, sum(w.energy_mwh) AS energy_mwh'
			|| ' FROM ((%s) UNION ALL SELECT c.* FROM unnest($1) c WHERE {slice c.node_id}) w GROUP BY w.node_id, w.service_type',
			telemetry_hour_query(plan.clean)) END;
	query := format($q$
		SELECT v.node_id, v.summary, coalesce(v.heartbeat_ms, response_time(v.summary, %2$s)) AS response_ms,
			error_rate_upper(v.summary, %3$s) AS error_rate_upper, samples(v.summary) AS samples, errors(v.summary) AS errors, v.services
		FROM (SELECT s.node_id, rollup(s.summary) AS summary,
				max(response_time(s.summary, %2$s)) FILTER (WHERE s.service_type IS NULL) AS heartbeat_ms,
				array_agg((s.service_type, s.work, s.energy_mwh, samples(s.summary), response_time(s.summary, 0.5), response_time(s.summary, 0.95),
					response_time(s.summary, 0.99), error_rate_upper(s.summary, %3$s))::measured_service) FILTER (WHERE s.service_type IS NOT NULL) AS services
			FROM (%1$s) s GROUP BY s.node_id) v $q$, query, quantile, confidence);
END $$;
COMMENT ON FUNCTION measured_telemetry_query(tstzrange, policy) IS
'query, for sliced_query with or without slices, of measured_telemetry; $1 in it is cut, see telemetry_plan. The one place where an epoch reads telemetry';

CREATE FUNCTION measured_telemetry(period tstzrange, p policy)
RETURNS TABLE (node_id bigint, summary telemetry_summary, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint, services measured_service[])
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT
-- Sorted as in telemetry_hour_window. Workers share the slices, not the tables: what workers
-- do together cannot be part of what one of them does, so that it must not look cheaper.
SET enable_hashagg = off SET jit = off SET parallel_tuple_cost = 0.1 SET parallel_leader_participation = off
SET min_parallel_table_scan_size = '4TB' SET min_parallel_index_scan_size = '4TB' AS $$
DECLARE
	q record;
BEGIN
	SELECT * INTO q FROM measured_telemetry_query(period, p);
	RETURN QUERY EXECUTE sliced_query(q.query, q.slices) USING q.cut;
END $$;
COMMENT ON FUNCTION measured_telemetry(tstzrange, policy) IS
'what telemetry says of each node within a period and the node''s membership, measured in the way of a policy: all its telemetry merged, the response time of its heartbeats (of everything where none was timed), and each service. Errors: raw rows are needed that were dropped';

CREATE FUNCTION measured_node(period tstzrange, p policy, boundaries geography[])
RETURNS TABLE (node_id bigint, provider_id bigint, hardware_id code, location geography(Point,4326), service_radius_m double precision, region int,
	active tstzrange, several boolean, summary telemetry_summary, uptime double precision, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint, services measured_service[], value numeric, resources measured_resource[],
	beacons int, violations int, fastest_rtt_ms double precision, sights measured_beacon[])
LANGUAGE plpgsql STABLE ROWS 100000 SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO'
-- as in measured_telemetry
SET enable_hashagg = off SET enable_nestloop = off SET jit = off SET parallel_tuple_cost = 0.1 SET parallel_leader_participation = off
SET min_parallel_table_scan_size = '4TB' SET min_parallel_index_scan_size = '4TB' AS $$
DECLARE
	q record;
	again bigint[];		-- nodes whose hardware their provider had as several nodes
BEGIN
	SELECT array_agg(m.id) INTO again
	FROM (SELECT unnest(array_agg(n.node_id)) AS id
		FROM node n
		WHERE n.status IN ('active', 'left') AND tstzrange(n.joined_at, n.left_at) && period AND n.hardware_id IS NOT NULL
		GROUP BY n.provider_id, n.hardware_id HAVING count(*) > 1) m;
	SELECT * INTO q FROM measured_telemetry_query(period, p);
	RETURN QUERY EXECUTE sliced_query(format($q$
		SELECT n.*, CASE WHEN n.several THEN t.summary END,
			CASE WHEN t.summary IS NULL OR slot_count(n.active, %2$L) = 0 THEN 0 ELSE uptime(t.summary, n.active) END,
			t.response_ms, t.error_rate_upper, coalesce(t.samples, 0), coalesce(t.errors, 0), t.services,
			coalesce(r.value, 0), r.resources, coalesce(b.beacons, 0), coalesce(b.violations, 0), b.fastest_rtt_ms, b.sights
		FROM (SELECT m.node_id, m.provider_id, m.hardware_id, m.location, m.service_radius_m, covering_region($3, m.location),
					tstzrange(m.joined_at, m.left_at) * $2 AS active, m.node_id = ANY ($4) AS several
				FROM node m
				WHERE m.status IN ('active', 'left') AND tstzrange(m.joined_at, m.left_at) && $2 AND {slice m.node_id}) n
			LEFT JOIN (%1$s) t ON t.node_id = n.node_id
			LEFT JOIN (
				SELECT h.node_id, sum(h.unit_value * h.units) AS value, array_agg((h.resource_type, h.units)::measured_resource) AS resources
				FROM (SELECT r.node_id, r.resource_type, max(y.unit_value) AS unit_value,
						round(round(sum(r.units * overlap_seconds(r.valid, tstzrange(m.joined_at, m.left_at) * $2)), 30) / %3$s, 30) AS units
					FROM node_resource r JOIN node m ON m.node_id = r.node_id JOIN resource_type y ON y.code = r.resource_type
					WHERE {slice r.node_id} AND r.valid && (tstzrange(m.joined_at, m.left_at) * $2)
					GROUP BY r.node_id, r.resource_type) h
				GROUP BY h.node_id) r ON r.node_id = n.node_id
			LEFT JOIN (
				SELECT s.node_id, count(*)::int AS beacons, count(*) FILTER (WHERE s.excess_m > %4$s)::int AS violations, min(s.rtt_ms) AS fastest_rtt_ms,
					array_agg((s.beacon_id, s.rtt_ms, s.excess_m)::measured_beacon ORDER BY s.excess_m DESC, s.beacon_id) AS sights
				FROM (%5$s) s GROUP BY s.node_id) b ON b.node_id = n.node_id $q$,
		q.query, p.telemetry_slot, overlap_seconds(period, period), format('%L::numeric::double precision', p.location_slack_m),
		replace(beacon_sight_query(), '$1', '$2')), q.slices)
	USING q.cut, period, boundaries, coalesce(again, '{}');
END $$;
COMMENT ON FUNCTION measured_node(tstzrange, policy, geography[]) IS
'everything that is measured of each node that is a member in a period, in the way of a policy: region is the place of the first of the boundaries that covers it; uptime is that over active; several: the provider had the hardware as several nodes (their uptime is that of all of them, for which summary has the telemetry); value and resources; sights by excess, the largest first. Reads the live tables. Errors: raw rows of telemetry are needed that were dropped';

CREATE FUNCTION region_area(boundary geography) RETURNS double precision
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RETURN ST_Area(boundary);
EXCEPTION WHEN internal_error THEN
	RETURN coverage_area(region_coverage(boundary));
END $$;

COMMENT ON FUNCTION region_area(geography) IS
'area by which the smallest region is found, m2: ST_Area, or where that fails the area of region_coverage. NULL for NULL';

CREATE FUNCTION covered_field(demand coverage, supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT demand * coverage_least(supply / supply_target, 1);
END;

COMMENT ON FUNCTION covered_field(coverage, coverage, double precision) IS
'D * min(1, S / T): demand that a supply serves, to the degree by which it reaches the target. NULL for NULL';

CREATE FUNCTION gap_field(demand coverage, supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT demand * coverage_greatest(1 - supply / supply_target, 0);
END;

COMMENT ON FUNCTION gap_field(coverage, coverage, double precision) IS
'G = D * max(0, 1 - S / T): demand that a supply leaves unserved, to the degree by which it falls short of the target. NULL for NULL';

CREATE FUNCTION gap_share_field(gap coverage, closing_supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT gap * coverage_least(closing_supply / supply_target, 1) / closing_supply;
END;

COMMENT ON FUNCTION gap_share_field(coverage, coverage, double precision) IS
'G * min(1, S1 / T) / S1: what one unit of contribution over a cell gets of the gap there; 0 where there is no supply. NULL for NULL';

CREATE FUNCTION remembered_epoch(previous_epoch_id bigint, memory_epochs int) RETURNS TABLE (epoch_id bigint)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	WITH RECURSIVE r AS (
		SELECT e.epoch_id, e.previous_epoch_id, 1 AS n FROM epoch e WHERE e.epoch_id = remembered_epoch.previous_epoch_id AND remembered_epoch.memory_epochs > 0
		UNION ALL
		SELECT e.epoch_id, e.previous_epoch_id, r.n + 1 FROM r JOIN epoch e ON e.epoch_id = r.previous_epoch_id WHERE r.n < remembered_epoch.memory_epochs
	)
	SELECT r.epoch_id FROM r;
END;

COMMENT ON FUNCTION remembered_epoch(bigint, int) IS
'an epoch and those before it, memory_epochs together at most: what the opening supply of the epoch after it is made of. No row for NULL';

CREATE FUNCTION opening_supply_field(previous_epoch_id bigint, grid_order int, memory_epochs int DEFAULT 1) RETURNS coverage
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	closing record;
	supply coverage;
BEGIN
	FOR closing IN
		-- drawn again where the grid is another
		SELECT CASE WHEN coverage_order(e.closing_supply) = $2 THEN e.closing_supply ELSE supply_field(e.epoch_id, $2) END AS field
		FROM epoch e WHERE e.epoch_id IN (SELECT r.epoch_id FROM remembered_epoch($1, $3) r)
	LOOP
		supply := CASE WHEN supply IS NULL THEN closing.field ELSE coverage_greatest(supply, closing.field) END;
	END LOOP;
	RETURN coalesce(supply, zero_coverage($2));
END $$;

COMMENT ON FUNCTION opening_supply_field(bigint, int, int) IS
'S0: cell by cell the most of the closing supplies of a computed epoch and those before it, memory_epochs together, on a grid; zero for NULL, before the first epoch';

CREATE FUNCTION opening_region_supply(previous_epoch_id bigint, memory_epochs int DEFAULT 1) RETURNS TABLE (region code, resource_type code, supply numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT o.region, o.resource_type, max(o.supply)
	FROM epoch_region_resource o
	WHERE o.epoch_id IN (SELECT r.epoch_id FROM remembered_epoch(opening_region_supply.previous_epoch_id, opening_region_supply.memory_epochs) r) AND o.supply > 0
	GROUP BY o.region, o.resource_type;
END;

COMMENT ON FUNCTION opening_region_supply(bigint, int) IS
'the same by region and kind of resource: the most of the supplies, in quality * units, that a computed epoch and those before it closed with; pairs without any are left out';

CREATE FUNCTION epoch_region_supply(epoch_id bigint)
RETURNS TABLE (region code, resource_type code, supply numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT n.region, r.resource_type, sum(n.quality * r.units)
	FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
	WHERE n.epoch_id = epoch_region_supply.epoch_id AND n.region IS NOT NULL AND n.quality > 0
	GROUP BY n.region, r.resource_type;
END;

COMMENT ON FUNCTION epoch_region_supply(bigint) IS
'quality * units per region and kind of resource in an epoch; nodes in no region count nowhere';

ALTER FUNCTION epoch_share(bigint, text, text, numeric) SET jit = off;

CREATE OR REPLACE FUNCTION freeze_node(epoch_id bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off SET enable_mergejoin = off SET jit = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	regions code[];
	boundaries geography[];
	made bigint;
BEGIN
	e := opened_epoch(freeze_node.epoch_id);
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	-- the smallest first: the first that covers a node is its own
	SELECT array_agg(r.code ORDER BY r.area, r.code), array_agg(r.boundary ORDER BY r.area, r.code) INTO regions, boundaries
	FROM (SELECT g.code, g.boundary, region_area(g.boundary) AS area FROM region g) r;

	WITH found AS MATERIALIZED (
		SELECT * FROM measured_node(e.period, p, boundaries)
	),
	again AS MATERIALIZED (
		-- Uptime is measured over the node's own part of the epoch: its units
		-- are averaged over the whole period already, and a newcomer would
		-- otherwise be punished twice. But whoever takes hardware out and puts
		-- it back must not do better than whoever is down for as long, so the
		-- same hardware of the same provider is measured from first to last.
		SELECT m.provider_id, m.hardware_id, rollup(m.summary) AS summary, tstzrange(min(lower(m.active)), max(upper(m.active))) AS measured
		FROM found m WHERE m.several
		GROUP BY m.provider_id, m.hardware_id
	),
	provider_first AS (
		SELECT f.provider_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	hardware_first AS (
		SELECT f.hardware_id, f.region, g.epoch_no FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE f.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no
	),
	fact AS MATERIALIZED (	-- so that nothing is computed twice where it is used twice
		SELECT m.*, regions[m.region] AS region_code, coalesce(a.measured, m.active) AS measured,
			CASE WHEN NOT m.several THEN m.uptime
				WHEN m.summary IS NULL OR slot_count(a.measured, p.telemetry_slot) = 0 THEN 0
				ELSE uptime(a.summary, a.measured) END AS joint_uptime,
			m.sights[1] AS worst
		FROM found m LEFT JOIN again a ON m.several AND a.provider_id = m.provider_id AND a.hardware_id = m.hardware_id
	),
	rated AS MATERIALIZED (
		SELECT f.*, e.epoch_no - least(pf.epoch_no, hf.epoch_no, e.epoch_no) AS age, q.availability, q.performance, q.trust, q.quality
		FROM fact f
			LEFT JOIN provider_first pf ON pf.provider_id = f.provider_id AND pf.region = f.region_code
			LEFT JOIN hardware_first hf ON hf.hardware_id = f.hardware_id AND hf.region = f.region_code,
			LATERAL node_rating(p, f.joint_uptime, f.response_ms, f.error_rate_upper, f.beacons, (f.worst).excess_m) q
	),
	put_node AS (	-- in the order of the keys, which their indexes like
		INSERT INTO epoch_node (epoch_id, node_id, provider_id, hardware_id, location, service_radius_m, region, age,
			active, measured, uptime, response_ms, error_rate_upper, samples, errors, beacons, location_excess_m,
			value, availability, performance, trust, quality, contribution,
			violations, fastest_rtt_ms, worst_beacon_id, worst_rtt_ms)
		SELECT e.epoch_id, q.node_id, q.provider_id, q.hardware_id, q.location, q.service_radius_m, q.region_code, q.age,
			q.active, q.measured, q.joint_uptime, q.response_ms, q.error_rate_upper, q.samples, q.errors, q.beacons, (q.worst).excess_m,
			q.value, q.availability, q.performance, q.trust, q.quality, q.quality * q.value,
			q.violations, q.fastest_rtt_ms, (q.worst).beacon_id, (q.worst).rtt_ms
		FROM rated q
		ORDER BY q.node_id
		RETURNING 1
	),
	put_beacon AS (
		INSERT INTO epoch_beacon (epoch_id, beacon_id, location, nodes, violations)
		SELECT e.epoch_id, b.beacon_id, b.location, s.nodes, s.violations
		FROM (SELECT (s.sight).beacon_id, count(*) AS nodes, count(*) FILTER (WHERE (s.sight).excess_m > p.location_slack_m::double precision) AS violations
				FROM (SELECT unnest(m.sights) AS sight FROM found m) s GROUP BY 1) s
			JOIN beacon b USING (beacon_id)
	),
	put_resource AS (
		INSERT INTO epoch_node_resource (epoch_id, node_id, resource_type, units, opening_mark)
		SELECT e.epoch_id, h.node_id, (h.held).resource_type, (h.held).units,
			coalesce(CASE WHEN h.hardware_id IS NULL THEN pm.units ELSE hm.units END, 0)
		FROM (SELECT m.node_id, m.provider_id, m.hardware_id, unnest(m.resources) AS held FROM found m) h
			LEFT JOIN (SELECT k.hardware_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.hardware_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) hm
				ON hm.hardware_id = h.hardware_id AND hm.resource_type = (h.held).resource_type
			LEFT JOIN (SELECT k.provider_id, k.resource_type, max(k.units) AS units
				FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.provider_id IS NOT NULL AND g.epoch_no < e.epoch_no GROUP BY 1, 2) pm
				ON pm.provider_id = h.provider_id AND pm.resource_type = (h.held).resource_type
		ORDER BY 2, 3
	),
	put_service AS (
		INSERT INTO epoch_node_service (epoch_id, node_id, service_type, work, energy_mwh, samples,
			p50_latency_ms, p95_latency_ms, p99_latency_ms, error_rate_upper)
		SELECT e.epoch_id, s.node_id, (s.service).*
		FROM (SELECT m.node_id, unnest(m.services) AS service FROM found m) s
		ORDER BY 2, 3
	)
	SELECT count(*) INTO made FROM put_node;
	RETURN made;
END $$;
COMMENT ON FUNCTION freeze_node(bigint) IS
'run_epoch step: writes epoch_node, epoch_beacon, epoch_node_resource and epoch_node_service of an open epoch from the live tables and the closing state of earlier epochs; returns the number of nodes';

CREATE OR REPLACE FUNCTION freeze_market(epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	e epoch;
	p policy;
	seconds numeric;
	covered coverage;
	closing_covered coverage;
	target double precision;
BEGIN
	e := opened_epoch(freeze_market.epoch_id);
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	seconds := overlap_seconds(e.period, e.period);
	target := p.supply_target;

	covered := covered_field(e.demand, e.supply, target);
	closing_covered := covered_field(e.demand, e.closing_supply, target);
	INSERT INTO epoch_region (epoch_id, region, boundary_digest, target_fraction, demand, covered, closing_covered, multiplier, jurisdiction)
	SELECT e.epoch_id, s.code, s.boundary_digest, s.target_fraction, s.demand, s.covered, s.closing_covered,
		region_multiplier(s.covered, s.demand, s.target_fraction, p.region_multiplier_max), s.jurisdiction
	FROM (SELECT r.code, r.jurisdiction, sha256(ST_AsBinary(r.boundary)) AS boundary_digest, r.target_fraction, coverage_sum(e.demand, r.boundary) AS demand,
			coverage_sum(covered, r.boundary) AS covered, coverage_sum(closing_covered, r.boundary) AS closing_covered
		FROM region r OFFSET 0) s;

	INSERT INTO epoch_region_resource (epoch_id, region, resource_type, demand, opening_supply, supply, rate)
	SELECT e.epoch_id, s.region, s.resource_type, s.demand, s.opening_supply, s.supply,
		gap_rate(t.unit_value, s.demand, s.opening_supply, s.supply)
	FROM (SELECT u.region, u.resource_type, sum(u.demand) AS demand, sum(u.opening_supply) AS opening_supply, sum(u.supply) AS supply
		FROM (
			SELECT d.region, d.resource_type, round(round(d.units * overlap_seconds(d.valid, e.period), 30) / seconds, 30), 0, 0
			FROM resource_demand d WHERE d.valid && e.period
			UNION ALL
			SELECT o.region, o.resource_type, 0, o.supply, 0 FROM opening_region_supply(e.previous_epoch_id, p.memory_epochs) o
			UNION ALL
			SELECT r.region, r.resource_type, 0, 0, r.supply FROM epoch_region_supply(e.epoch_id) r
		) u (region, resource_type, demand, opening_supply, supply)
		GROUP BY u.region, u.resource_type) s
		JOIN resource_type t ON t.code = s.resource_type;

	WITH owner AS MATERIALIZED (
		SELECT * FROM epoch_owner(e.epoch_id)
	), put_mark AS (
		INSERT INTO epoch_mark (epoch_id, resource_type, hardware_id, provider_id, units)
		SELECT e.epoch_id, o.resource_type, o.hardware_id, o.provider_id, o.units
		FROM owner o WHERE o.units > o.opening_mark
		ORDER BY o.hardware_id, o.provider_id, o.resource_type	-- as their indexes like it
	), capacity AS (	-- as epoch_capacity has it
		SELECT o.resource_type, sum(o.units) AS supply, sum(greatest(0, o.units - o.opening_mark)) AS growth
		FROM owner o GROUP BY o.resource_type
	)
	INSERT INTO epoch_resource (epoch_id, resource_type, unit_value, growth_need, previous_price, opening_mark,
		demand, supply, price, need, growth, pot, family, unit)
	SELECT e.epoch_id, s.code, s.unit_value, s.growth_need, s.previous_price, s.opening_mark, s.demand, s.supply,
		next_price(s.previous_price, s.demand, s.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max),
		coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark)), s.growth,
		capacity_pot(s.unit_value, s.supply, s.opening_mark, coalesce(s.growth_need, greatest(0, s.demand - s.opening_mark))),
		s.family, s.unit
	FROM (SELECT t.code, t.unit_value, t.growth_need, t.family, t.unit,
			coalesce((SELECT o.price FROM epoch_resource o JOIN epoch g ON g.epoch_id = o.epoch_id
				WHERE o.resource_type = t.code AND g.epoch_no < e.epoch_no ORDER BY g.epoch_no DESC LIMIT 1), t.initial_price) AS previous_price,
			coalesce((SELECT max(k.units) FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
				WHERE k.resource_type = t.code AND k.hardware_id IS NULL AND k.provider_id IS NULL AND g.epoch_no < e.epoch_no), 0) AS opening_mark,
			coalesce((SELECT sum(d.demand) FROM epoch_region_resource d
				WHERE d.epoch_id = e.epoch_id AND d.resource_type = t.code), 0) AS demand,
			coalesce(c.supply, 0) AS supply, coalesce(c.growth, 0) AS growth
		FROM resource_type t LEFT JOIN capacity c ON c.resource_type = t.code) s;

	INSERT INTO epoch_service (epoch_id, service_type, premium, work, quality_work, pot, unit)
	SELECT e.epoch_id, t.code, t.premium, coalesce(s.work, 0), coalesce(s.quality_work, 0),
		service_pot(t.premium, coalesce(s.work, 0), p.service_alpha), t.unit
	FROM service_type t LEFT JOIN epoch_work(e.epoch_id) s ON s.service_type = t.code;

	INSERT INTO epoch_mark (epoch_id, resource_type, units)
	SELECT e.epoch_id, r.resource_type, r.supply
	FROM epoch_resource r WHERE r.epoch_id = e.epoch_id AND r.supply > r.opening_mark;

	INSERT INTO epoch_first (epoch_id, region, provider_id)
	SELECT e.epoch_id, f.region, f.provider_id
	FROM (SELECT DISTINCT n.region, n.provider_id FROM epoch_node n
		WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0) f
	WHERE NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.provider_id = f.provider_id);
	INSERT INTO epoch_first (epoch_id, region, hardware_id)
	SELECT e.epoch_id, f.region, f.hardware_id
	FROM (SELECT DISTINCT n.region, n.hardware_id FROM epoch_node n
		WHERE n.epoch_id = e.epoch_id AND n.region IS NOT NULL AND n.contribution > 0 AND n.hardware_id IS NOT NULL) f
	WHERE NOT EXISTS (SELECT FROM epoch_first x WHERE x.region = f.region AND x.hardware_id = f.hardware_id);
END $$;
COMMENT ON FUNCTION freeze_market(bigint) IS
'run_epoch step, after freeze_node and the fields: writes epoch_region, epoch_region_resource, epoch_resource, epoch_service, epoch_mark and epoch_first of an open epoch';

CREATE OR REPLACE FUNCTION epoch_score(epoch_id bigint, component text, part text DEFAULT NULL)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	target double precision;
	gap coverage;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND OR e.status = 'planned' THEN
		PERFORM (opened_epoch($1)).epoch_id;
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	target := p.supply_target;

	CASE coalesce($2 || '/' || $3, $2)
	WHEN 'new_regions' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.contribution * freshness(n.age, p.freshness_epochs) * (r.multiplier - 1)
		FROM epoch_node n JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND n.age < p.freshness_epochs AND r.multiplier > 1;

	WHEN 'coverage_gaps/geographic' THEN
		-- what each unit of contribution over a cell gets of the gap there
		gap := gap_share_field(gap_field(e.demand, e.supply, target), e.closing_supply, target);
		RETURN QUERY
		WITH site AS MATERIALIZED (
			SELECT s.spot, s.service_radius_m, exact_numeric(greatest(0, coverage_sum(gap, ST_GeogFromWKB(s.spot), s.service_radius_m))) AS share
			FROM (SELECT DISTINCT ST_AsBinary(n.location) AS spot, n.service_radius_m FROM epoch_node n
				WHERE n.epoch_id = $1 AND n.contribution > 0) s
		)
		SELECT n.node_id, n.provider_id, n.contribution * s.share
		FROM epoch_node n JOIN site s ON s.spot = ST_AsBinary(n.location) AND s.service_radius_m = n.service_radius_m
		WHERE n.epoch_id = $1 AND n.contribution > 0 AND s.share > 0;

	WHEN 'coverage_gaps/resource' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * r.units * g.rate)
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_region_resource g ON g.epoch_id = n.epoch_id AND g.region = n.region AND g.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND g.rate > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'resource_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, n.quality * sum(t.unit_value * r.units * (t.price - 1))
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
			JOIN epoch_resource t ON t.epoch_id = n.epoch_id AND t.resource_type = r.resource_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0 AND t.price > 1 AND t.unit_value > 0
		GROUP BY n.node_id, n.provider_id, n.quality;

	WHEN 'network_capacity' THEN
		-- the growth of an owner belongs to its nodes pro rata to quality * units; who grew
		-- has raised a mark to its units, and each of its nodes has the mark of before
		RETURN QUERY
		SELECT g.node_id, g.provider_id, sum(g.offer * round(round(t.pot * (g.units - g.opening_mark), 60) / (g.units * t.growth), 60))
		FROM (SELECT n.node_id, n.provider_id, r.resource_type, n.quality * r.units AS offer, r.opening_mark, m.units
				FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
					JOIN epoch_mark m ON m.epoch_id = n.epoch_id AND m.hardware_id = n.hardware_id AND m.resource_type = r.resource_type
				WHERE n.epoch_id = $1 AND n.quality > 0 AND r.units > 0
				UNION ALL
				SELECT n.node_id, n.provider_id, r.resource_type, n.quality * r.units, r.opening_mark, m.units
				FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
					JOIN epoch_mark m ON m.epoch_id = n.epoch_id AND m.provider_id = n.provider_id AND m.resource_type = r.resource_type
				WHERE n.epoch_id = $1 AND n.hardware_id IS NULL AND n.quality > 0 AND r.units > 0) g
			JOIN epoch_resource t ON t.epoch_id = $1 AND t.resource_type = g.resource_type
		WHERE t.pot > 0
		GROUP BY g.node_id, g.provider_id
		HAVING sum(g.offer * round(round(t.pot * (g.units - g.opening_mark), 60) / (g.units * t.growth), 60)) > 0;

	WHEN 'service_types' THEN
		RETURN QUERY
		SELECT n.node_id, n.provider_id, sum(n.quality * s.work * t.rate)
		FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id
			JOIN (SELECT v.service_type, round(round(v.pot, 60) / v.quality_work, 60) AS rate
				FROM epoch_service v WHERE v.epoch_id = $1 AND v.pot > 0 AND v.quality_work > 0) t ON t.service_type = s.service_type
		WHERE n.epoch_id = $1 AND n.quality > 0 AND s.work > 0
		GROUP BY n.node_id, n.provider_id;

	WHEN 'specialization' THEN
		RETURN QUERY
		SELECT m.node_id, m.provider_id, sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12))
		FROM (SELECT n.node_id, n.provider_id, s.service_type, s.work, s.samples, x.name, x.metric
				FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id,
					LATERAL (VALUES ('p50_latency_ms', s.p50_latency_ms), ('p95_latency_ms', s.p95_latency_ms),
						('p99_latency_ms', s.p99_latency_ms), ('error_rate_upper', s.error_rate_upper),
						('energy_per_work', (round(s.energy_mwh, 20) / nullif(s.work, 0))::double precision)) x (name, metric)
				WHERE n.epoch_id = $1 AND n.trust > 0 AND s.work > 0) m
			JOIN specialization k ON k.policy_id = p.policy_id AND k.metric = m.name
				AND (k.service_type = m.service_type OR k.service_type IS NULL) AND m.samples >= k.min_samples
		GROUP BY m.node_id, m.provider_id
		HAVING sum(k.weight * m.work * round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12)) > 0;
	ELSE
		RAISE EXCEPTION 'no component % with part %', coalesce(quote_literal($2), 'NULL'), coalesce(quote_literal($3), 'NULL')
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Components are new_regions, coverage_gaps (part geographic or resource), resource_types, network_capacity, service_types and specialization.';
	END CASE;
END $$;
COMMENT ON FUNCTION epoch_score(bigint, text, text) IS
'scores above 0 of an epoch''s nodes in a component, and for coverage_gaps in its part geographic or resource, by the formulas of the reward documentation, from the frozen rows alone. Errors: unknown epoch, component or part';

CREATE FUNCTION epoch_release(epoch_id bigint)
RETURNS TABLE (component text, budget numeric, carried_in numeric, released numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	growth numeric;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND OR e.status = 'planned' THEN
		PERFORM (opened_epoch($1)).epoch_id;
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT coalesce(sum(r.pot), 0) INTO growth FROM epoch_resource r WHERE r.epoch_id = $1;
	RETURN QUERY
	SELECT w.code::text, w.budget, w.carried_in, CASE WHEN w.code = 'network_capacity' AND growth < p.growth_target
		THEN div((w.budget + w.carried_in) * growth, p.growth_target) ELSE w.budget + w.carried_in END
	FROM (SELECT c.code, c."position", allocate(c.bps::numeric, e.budget) OVER (ORDER BY c."position") AS budget,
			coalesce((SELECT o.carried_out FROM epoch_pool o WHERE o.epoch_id = e.previous_epoch_id AND o.component = c.code), 0) AS carried_in
		FROM epoch_weight($1) c) w
	ORDER BY w."position";
END $$;
COMMENT ON FUNCTION epoch_release(bigint) IS
'the six pools of an epoch, in their order: part of the budget, carried in, and what of both is there to be apportioned, all of it but in network_capacity, which releases the fraction growth / growth_target, rounded down. Base units';

CREATE FUNCTION epoch_release_part(epoch_id bigint, component text, released numeric)
RETURNS TABLE (part text, released numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT h.part, allocate(h.bps::numeric, epoch_release_part.released) OVER (ORDER BY h.part)
	FROM epoch e JOIN policy p ON p.policy_id = e.policy_id,
		LATERAL (VALUES ('coverage_gaps', 'geographic', p.gaps_geographic_bps), ('coverage_gaps', 'resource', 10000 - p.gaps_geographic_bps)) h (component, part, bps)
	WHERE e.epoch_id = epoch_release_part.epoch_id AND h.component = epoch_release_part.component;
END;

COMMENT ON FUNCTION epoch_release_part(bigint, text, numeric) IS
'how what a pool of an epoch has to apportion is split over its halves, for coverage_gaps; no row for a pool that is not split. Base units';

CREATE OR REPLACE FUNCTION sealed_relation() RETURNS TABLE (relation text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r FROM unnest(ARRAY['epoch_node', 'epoch_node_resource', 'epoch_node_service', 'epoch_region',
		'epoch_region_resource', 'epoch_resource', 'epoch_service', 'epoch_mark', 'epoch_first',
		'epoch_pool', 'epoch_pool_part', 'reward', 'reward_part', 'epoch_beacon', 'epoch_reach', 'epoch_metric']) r;
END;

CREATE FUNCTION row_sha256("row" record) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE c STABLE STRICT PARALLEL SAFE COST 500;

COMMENT ON FUNCTION row_sha256(record) IS
'SHA-256 of a row''s text in UTF-8, as sha256(convert_to("row"::text, ''UTF8'')); the text of some types depends on settings. NULL for NULL';

CREATE FUNCTION sha256_agg_transfn(internal, bytea) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE c IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION sha256_agg_transfn(internal, bytea) IS 'aggregate support: adds a row';

CREATE FUNCTION sha256_agg_finalfn(internal) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE c IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION sha256_agg_finalfn(internal) IS 'aggregate support: the result';

CREATE FUNCTION sha256_agg_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE c IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION sha256_agg_combine(internal, internal) IS 'aggregate support: adds two states';

CREATE FUNCTION sha256_agg_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sha256_agg_serialize(internal) IS 'aggregate support: writes a state';

CREATE FUNCTION sha256_agg_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION sha256_agg_deserialize(bytea, internal) IS 'aggregate support: reads a state';

CREATE AGGREGATE sha256_agg(hash bytea) (
	SFUNC = sha256_agg_transfn, STYPE = internal,
	FINALFUNC = sha256_agg_finalfn, COMBINEFUNC = sha256_agg_combine,
	SERIALFUNC = sha256_agg_serialize, DESERIALFUNC = sha256_agg_deserialize,
	PARALLEL = SAFE
);

COMMENT ON AGGREGATE sha256_agg(bytea) IS
'SHA-256 of a set of SHA-256s, the same in whatever order they come: they are sorted, those with the same first byte are hashed together, in groups from 0 to 255, and the hashes of the groups that are not empty are hashed again. NULL is skipped; no row gives the SHA-256 of nothing. Takes 32 to 96 bytes of memory a row. Errors: a value that has not 32 bytes';

CREATE OR REPLACE FUNCTION epoch_columns(relation text) RETURNS text[]
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	SELECT array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass('@extschema@.' || quote_ident(relation)) AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT (relation = 'epoch' AND a.attname IN ('status', 'digest', 'opened_at', 'computed_at', 'final_at', 'note', 'restatements', 'statements', 'grace_period'))
		AND NOT (relation = 'policy' AND a.attname IN ('sealed_rules', 'is_builtin', 'note'))
		AND NOT (relation = 'specialization' AND a.attname IN ('is_builtin'))
$$;

CREATE OR REPLACE FUNCTION epoch_rows_digest(epoch_id bigint, relation text, columns text[], OUT row_count bigint, OUT digest bytea)
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

CREATE FUNCTION try_epoch_lock() RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	RETURN pg_try_advisory_xact_lock('epoch'::regclass::oid::int, 0);
END $$;

COMMENT ON FUNCTION try_epoch_lock() IS
'takes the lock that whoever computes or finalizes epochs holds to the end of its transaction; false when another session has it';

CREATE SEQUENCE progress_pid MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_pid IS 'see epoch_progress: process id of the session that computes';

CREATE SEQUENCE progress_epoch MINVALUE -9223372036854775808 START 0;

COMMENT ON SEQUENCE progress_epoch IS 'see epoch_progress: the epoch';

CREATE SEQUENCE progress_phase MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_phase IS 'see epoch_progress: number of the phase in epoch_phases()';

CREATE SEQUENCE progress_rows MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_rows IS 'see epoch_progress: rows written';

CREATE SEQUENCE progress_rows_before MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_rows_before IS 'see epoch_progress: rows the session had written before the epoch was begun';

CREATE SEQUENCE progress_started MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_started IS 'see epoch_progress: when the epoch was begun, microseconds since 1970';

CREATE SEQUENCE progress_phase_started MINVALUE 0 START 0;

COMMENT ON SEQUENCE progress_phase_started IS 'see epoch_progress: when the phase was begun, microseconds since 1970';

CREATE FUNCTION epoch_phases() RETURNS TABLE (phase_no int, phase text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT u.o::int, u.p FROM unnest(ARRAY['clear', 'nodes', 'fields', 'market', 'rewards', 'pay new_regions', 'pay coverage_gaps', 'pay resource_types',
		'pay network_capacity', 'pay service_types', 'pay specialization', 'seal', 'verify']) WITH ORDINALITY u (p, o);
END;
COMMENT ON FUNCTION epoch_phases() IS
'the phases of an epoch in their order. clear: what an earlier computation left is deleted; nodes: telemetry is read and the inputs of nodes are frozen; fields: demand and supply are drawn; market: regions, prices, marks; rewards: nodes are scored and every pool is apportioned; pay: the account of a pool is closed; seal: everything is hashed; verify: checked before it becomes final';

CREATE TABLE epoch_timing (
	epoch_id bigint NOT NULL REFERENCES epoch ON DELETE CASCADE,
	phase code NOT NULL,
	started_at timestamptz NOT NULL,
	duration interval NOT NULL CHECK (duration >= interval '0'),
	rows_written bigint NOT NULL CHECK (rows_written >= 0),
	PRIMARY KEY (epoch_id, phase)
);

COMMENT ON TABLE epoch_timing IS 'how long each phase of an epoch took when it was last computed; estimates come from here. Not an input of any computation';

COMMENT ON COLUMN epoch_timing.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_timing.phase IS 'the phase, see epoch_phases()';

COMMENT ON COLUMN epoch_timing.started_at IS 'when it began';

COMMENT ON COLUMN epoch_timing.duration IS 'how long it took';

COMMENT ON COLUMN epoch_timing.rows_written IS 'rows of the epoch written when it ended, by all phases so far';

SELECT pg_catalog.pg_extension_config_dump('epoch_timing', '');

CREATE FUNCTION epoch_phase(epoch_id bigint, phase text) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	at timestamptz := clock_timestamp();
	micros bigint := round(extract(epoch FROM at) * 1000000);
	before int := (SELECT s.last_value FROM progress_phase s);
	started bigint := (SELECT s.last_value FROM progress_phase_started s);
	written bigint;
	same boolean;
BEGIN
	-- who tries things out, without the lock, must not disturb what others see
	IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid = pg_backend_pid() AND l.granted
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND l.classid = 'epoch'::regclass AND l.objid = 0 AND l.objsubid = 2) THEN
		RETURN;
	END IF;
	-- what the statistics of this session, not sent off before it is idle, have counted
	SELECT coalesce(sum(pg_stat_get_xact_tuples_inserted(to_regclass('@extschema@.' || r.relation))), 0) INTO written FROM sealed_relation() r;
	same := (SELECT s.last_value FROM progress_pid s) = pg_backend_pid() AND (SELECT s.last_value FROM progress_epoch s) = epoch_phase.epoch_id
		AND before > 0 AND phase NOT IN ('clear', 'verify');
	IF same THEN
		written := greatest(written - (SELECT s.last_value FROM progress_rows_before s), 0);
		INSERT INTO epoch_timing AS t (epoch_id, phase, started_at, duration, rows_written)
		SELECT epoch_phase.epoch_id, f.phase, to_timestamp(started / 1000000.0), greatest((micros - started) * interval '1 microsecond', interval '0'), written
		FROM epoch_phases() f WHERE f.phase_no = before
		ON CONFLICT ON CONSTRAINT epoch_timing_pkey DO UPDATE
			SET started_at = excluded.started_at, duration = excluded.duration, rows_written = excluded.rows_written;
	ELSE
		PERFORM setval('progress_started', micros), setval('progress_rows_before', written);
		written := 0;
	END IF;
	PERFORM setval('progress_epoch', epoch_phase.epoch_id), setval('progress_rows', written), setval('progress_phase_started', micros),
		setval('progress_phase', coalesce((SELECT f.phase_no FROM epoch_phases() f WHERE f.phase = epoch_phase.phase), 0)),
		setval('progress_pid', pg_backend_pid());
END $$;

COMMENT ON FUNCTION epoch_phase(bigint, text) IS
'run_epoch step: says that a phase of an epoch begins (see epoch_phases(); any other word: that the last one has ended), for epoch_progress, and records how long the one before took. Does nothing in a session without the lock of try_epoch_lock()';

CREATE TABLE epoch_reach (
	epoch_id bigint NOT NULL REFERENCES epoch,
	scope code NOT NULL CHECK (scope IN ('network', 'region', 'jurisdiction')),
	place text COLLATE "C" NOT NULL CHECK ((place = '') = (scope = 'network')),
	budget_ms int NOT NULL CHECK (budget_ms > 0),
	radius_m double precision NOT NULL CHECK (radius_m > 0),
	demand double precision NOT NULL CHECK (demand >= 0),
	reached double precision CHECK (reached BETWEEN 0 AND demand),
	resident double precision CHECK (resident BETWEEN 0 AND demand),
	PRIMARY KEY (epoch_id, scope, place, budget_ms),
	CONSTRAINT epoch_reach_resident_is_reached CHECK (resident <= reached)
);

COMMENT ON TABLE epoch_reach IS 'demand that the nodes of an epoch can serve within a round-trip time: in all, in each region, in each jurisdiction. A node counts when its contribution is above 0; it serves the disc of service_radius(budget_ms)';

COMMENT ON COLUMN epoch_reach.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_reach.scope IS 'network, region or jurisdiction';

COMMENT ON COLUMN epoch_reach.place IS 'code of the region, name of the jurisdiction, empty for the network';

COMMENT ON COLUMN epoch_reach.budget_ms IS 'round-trip time, ms, see latency_budget()';

COMMENT ON COLUMN epoch_reach.radius_m IS 'what it means in metres on paths twice as long as the geodesic';

COMMENT ON COLUMN epoch_reach.demand IS 'demand there; that of a jurisdiction is in any of its regions, once where they overlap';

COMMENT ON COLUMN epoch_reach.reached IS 'of it within the radius of some node; NULL for jurisdictions';

COMMENT ON COLUMN epoch_reach.resident IS 'of it within the radius of some node in a region of the same jurisdiction; NULL for the network and for regions whose jurisdiction is not known';

SELECT pg_catalog.pg_extension_config_dump('epoch_reach', '');

CREATE TABLE epoch_metric (
	epoch_id bigint NOT NULL REFERENCES epoch,
	kind code NOT NULL,
	subject text COLLATE "C" NOT NULL,
	family text NOT NULL,
	unit text NOT NULL,
	value numeric NOT NULL,
	detail text,
	PRIMARY KEY (epoch_id, kind, subject)
);

COMMENT ON TABLE epoch_metric IS 'the figures of growth_metric, one row per epoch and metric';

COMMENT ON COLUMN epoch_metric.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_metric.kind IS 'what is measured, see growth_metric';

COMMENT ON COLUMN epoch_metric.subject IS 'of what: a kind of resource, a family of them, a service, a region, a round-trip time; empty: of the network';

COMMENT ON COLUMN epoch_metric.family IS 'network, service, or the family of the kind of resource then';

COMMENT ON COLUMN epoch_metric.unit IS 'unit of value then';

COMMENT ON COLUMN epoch_metric.value IS 'the figure';

COMMENT ON COLUMN epoch_metric.detail IS 'which ones, where the figure counts a few things; NULL: none, or nothing to list';

SELECT pg_catalog.pg_extension_config_dump('epoch_metric', '');

CREATE FUNCTION latency_budget() RETURNS TABLE (budget_ms int, radius_m double precision)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT b, service_radius(b) FROM unnest(ARRAY[5, 10, 20, 50, 100]) b;
END;

COMMENT ON FUNCTION latency_budget() IS
'the round-trip times of latency_reach, ms, and their service_radius at the default path stretch of 2: 250 to 4 997 km, which is within the 5 000 km of the largest disc';

CREATE FUNCTION unserved_demand(demand coverage, radius_m double precision,
	leads geography[], lead_blocks bigint[], others geography[], other_blocks bigint[]) RETURNS coverage
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	-- no two points of a block are as far apart
	block_m CONSTANT double precision := 450000;
	unserved coverage := demand;
	near bigint[] := lead_blocks;
	drawn coverage;
BEGIN
	IF leads IS NULL OR coverage_sum(unserved) = 0 THEN
		RETURN unserved;
	END IF;
	drawn := (SELECT coverage_agg(l, radius_m, 1, coverage_order(demand)) FROM unnest(leads) l);
	unserved := unserved * (1 - coverage_mask(drawn, 1));
	IF others IS NULL OR coverage_sum(unserved) = 0 THEN
		RETURN unserved;
	END IF;
	-- a disc has at most 5 000 km: beyond, and where it would not pay, all are drawn
	IF radius_m + block_m <= 5000000 AND cardinality(others) > cardinality(leads) THEN
		near := (SELECT array_agg(u.block) FROM unnest(leads, lead_blocks) u (place, block)
			WHERE coverage_sum(unserved, u.place, radius_m + block_m) > 0);
	END IF;
	drawn := (SELECT coverage_agg(u.place, radius_m, 1, coverage_order(demand))
		FROM unnest(others, other_blocks) u (place, block) JOIN unnest(near) n (block) USING (block));
	RETURN CASE WHEN drawn IS NULL THEN unserved ELSE unserved * (1 - coverage_mask(drawn, 1)) END;
END $$;

COMMENT ON FUNCTION unserved_demand(coverage, double precision, geography[], bigint[], geography[], bigint[]) IS
'the cells of a demand field that no place of leads and others has within radius_m metres. Blocks are cells of order 5; each block has one lead, and others may lie in leads'' blocks only. No leads: all of it';

CREATE FUNCTION reach_site(epoch_id bigint, by_jurisdiction boolean)
RETURNS TABLE (jurisdiction text, leads geography[], lead_blocks bigint[], others geography[], other_blocks bigint[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.jurisdiction, array_agg(s.location) FILTER (WHERE s.is_lead), array_agg(s.block) FILTER (WHERE s.is_lead),
		array_agg(s.location) FILTER (WHERE NOT s.is_lead), array_agg(s.block) FILTER (WHERE NOT s.is_lead)
	FROM (SELECT l.jurisdiction, l.location, l.block, row_number() OVER (PARTITION BY l.jurisdiction, l.block ORDER BY l.spot) = 1 AS is_lead
		FROM (SELECT d.jurisdiction, d.spot, ST_GeogFromWKB(d.spot) AS location, coverage_cell(ST_GeogFromWKB(d.spot), 5) AS block
			FROM (SELECT DISTINCT CASE WHEN reach_site.by_jurisdiction THEN x.jurisdiction END AS jurisdiction, ST_AsBinary(n.location) AS spot
				FROM epoch_node n LEFT JOIN epoch_region x ON x.epoch_id = n.epoch_id AND x.region = n.region
				WHERE n.epoch_id = reach_site.epoch_id AND n.contribution > 0
					AND (x.jurisdiction IS NOT NULL OR NOT reach_site.by_jurisdiction)) d) l) s
	GROUP BY s.jurisdiction;
END;

COMMENT ON FUNCTION reach_site(bigint, boolean) IS
'distinct places of an epoch''s nodes whose contribution is above 0, as unserved_demand wants them: of all in one row without a jurisdiction, or by the jurisdiction of their region, those without one left out';

CREATE FUNCTION reach_part(epoch_id bigint)
RETURNS TABLE (scope text, place text, budget_ms int, radius_m double precision, demand double precision, reached double precision, resident double precision)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	field coverage;
	nothing coverage;
	b record;
	j record;
	sites record;
	boundary geography;
	total double precision;
	own double precision;
	everything boolean;
	wanted coverage;
	unserved coverage;
	served coverage;
BEGIN
	-- a copy in memory: the stored one would be unpacked for each jurisdiction
	PERFORM (opened_epoch($1)).epoch_id;
	SELECT e.demand * 1 INTO field FROM epoch e WHERE e.epoch_id = $1;
	nothing := zero_coverage(coverage_order(field));

	-- anybody's nodes
	SELECT s.* INTO sites FROM reach_site($1, false) s;
	total := coverage_sum(field);
	unserved := field;
	FOR b IN SELECT * FROM latency_budget() ORDER BY 1 LOOP
		unserved := unserved_demand(unserved, b.radius_m, sites.leads, sites.lead_blocks, sites.others, sites.other_blocks);
		everything := coverage_sum(unserved) = 0;
		served := field - unserved;
		RETURN QUERY SELECT 'network', '', b.budget_ms, b.radius_m, total, coverage_sum(served), NULL::double precision;
		RETURN QUERY SELECT 'region', x.region::text, b.budget_ms, b.radius_m, x.demand,
			CASE WHEN everything THEN x.demand ELSE coverage_sum(served, g.boundary) END, NULL::double precision
		FROM epoch_region x JOIN region g ON g.code = x.region WHERE x.epoch_id = $1;
	END LOOP;

	-- each jurisdiction's own
	FOR j IN
		SELECT w.*, s.leads, s.lead_blocks, s.others, s.other_blocks
		FROM (SELECT x.jurisdiction, array_agg(x.region) AS regions, min(x.demand) AS demand
				FROM epoch_region x WHERE x.epoch_id = $1 AND x.jurisdiction IS NOT NULL GROUP BY x.jurisdiction) w
			LEFT JOIN reach_site($1, true) s ON s.jurisdiction = w.jurisdiction
	LOOP
		total := j.demand;
		wanted := nothing;
		IF j.leads IS NOT NULL OR cardinality(j.regions) > 1 THEN
			-- one by one: what sum(coverage) sets up is more than a few small fields are worth
			FOR boundary IN SELECT g.boundary FROM region g WHERE g.code = ANY (j.regions) LOOP
				wanted := coverage_greatest(wanted, region_coverage(boundary, coverage_order(field)));
			END LOOP;
			wanted := field * wanted;
			total := coverage_sum(wanted);
		END IF;
		unserved := wanted;
		FOR b IN SELECT * FROM latency_budget() ORDER BY 1 LOOP
			own := 0;
			IF j.leads IS NOT NULL THEN
				unserved := unserved_demand(unserved, b.radius_m, j.leads, j.lead_blocks, j.others, j.other_blocks);
				served := wanted - unserved;
				own := coverage_sum(served);
			END IF;
			RETURN QUERY SELECT 'jurisdiction', j.jurisdiction, b.budget_ms, b.radius_m, total, NULL::double precision, own;
			-- its only region has all of it
			RETURN QUERY SELECT 'region', g.code::text, b.budget_ms, b.radius_m, NULL::double precision, NULL::double precision,
				CASE WHEN own = 0 OR cardinality(j.regions) = 1 THEN own ELSE coverage_sum(served, g.boundary) END
			FROM region g WHERE g.code = ANY (j.regions);
		END LOOP;
	END LOOP;
END $$;
COMMENT ON FUNCTION reach_part(bigint) IS
'the figures of epoch_reach from an epoch''s frozen nodes, jurisdictions and demand and the boundaries of today, what anybody''s nodes reach and what each jurisdiction''s own do in rows of their own';

CREATE FUNCTION reach_row(epoch_id bigint)
RETURNS TABLE (scope text, place text, budget_ms int, radius_m double precision, demand double precision, reached double precision, resident double precision)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT p.scope, p.place, p.budget_ms, max(p.radius_m), max(p.demand), max(p.reached), max(p.resident)
	FROM reach_part(reach_row.epoch_id) p
	GROUP BY p.scope, p.place, p.budget_ms;
END;

COMMENT ON FUNCTION reach_row(bigint) IS 'the rows of epoch_reach, computed; an unknown epoch is an error';

CREATE FUNCTION metric_row(epoch_id bigint)
RETURNS TABLE (kind text, subject text, family text, unit text, value numeric, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	target double precision;
	mask coverage;
	opening coverage;
	closing coverage;
	wanted numeric;
	served numeric;
	newly numeric;
BEGIN
	SELECT p.supply_target INTO target FROM policy p WHERE p.policy_id = e.policy_id;

	RETURN QUERY
	WITH held AS MATERIALIZED (	-- by region and provider
		SELECT n.region, n.provider_id, count(*) AS nodes, count(*) FILTER (WHERE o.node_id IS NULL) AS new_nodes, sum(n.contribution) AS contribution
		FROM epoch_node n LEFT JOIN epoch_node o ON o.epoch_id = e.previous_epoch_id AND o.node_id = n.node_id AND o.contribution > 0
		WHERE n.epoch_id = $1 AND n.contribution > 0
		GROUP BY n.region, n.provider_id
	),
	opened AS (
		SELECT h.region FROM held h WHERE h.region IS NOT NULL
		EXCEPT SELECT o.region FROM epoch_node o WHERE o.epoch_id = e.previous_epoch_id AND o.contribution > 0
	),
	share AS (
		SELECT h.region, h.contribution FROM held h
		UNION ALL SELECT '', sum(h.contribution) FROM held h GROUP BY h.provider_id
	)
	SELECT 'nodes', '', 'network', 'nodes', coalesce(sum(h.nodes), 0), NULL FROM held h
	UNION ALL SELECT 'new nodes', '', 'network', 'nodes', coalesce(sum(h.new_nodes), 0), NULL FROM held h
	UNION ALL SELECT 'new nodes in target regions', '', 'network', 'nodes', coalesce(sum(h.new_nodes), 0), NULL
		FROM held h JOIN epoch_region r ON r.epoch_id = $1 AND r.region = h.region AND r.multiplier > 1
	UNION ALL SELECT 'providers', '', 'network', 'providers', count(DISTINCT h.provider_id), NULL FROM held h
	UNION ALL SELECT 'contribution', '', 'network', 'contribution', coalesce(round(sum(h.contribution), 9), 0), NULL FROM held h
	UNION ALL SELECT 'regions with nodes', '', 'network', 'regions', count(DISTINCT h.region), NULL FROM held h
	UNION ALL SELECT 'regions opened', '', 'network', 'regions', count(*), string_agg(o.region, ', ' ORDER BY o.region) FROM opened o
	UNION ALL SELECT 'provider concentration', s.region, 'network', 'HHI',
			round(sum(s.contribution * s.contribution) / (sum(s.contribution) * sum(s.contribution)), 12), NULL
		FROM share s WHERE s.region IS NOT NULL GROUP BY s.region;

	-- Only cells with demand matter: the supply of the others is cut off first.
	mask := coverage_mask(e.demand, 1 / 65536.0);
	opening := coverage_least(mask * e.supply / target, 1);
	closing := coverage_least(mask * e.closing_supply / target, 1);
	wanted := exact_numeric(coverage_sum(e.demand));
	served := exact_numeric(coverage_sum(e.demand * closing));
	newly := exact_numeric(coverage_sum(e.demand * coverage_greatest(closing - opening, 0)));
	RETURN QUERY VALUES
		('demand', '', 'network', 'demand', round(wanted, 6), NULL::text),
		('demand served', '', 'network', 'demand', round(served, 6), NULL),
		('demand newly served', '', 'network', 'demand', round(newly, 6), NULL);
	IF wanted > 0 THEN
		RETURN QUERY VALUES ('share of demand served', '', 'network', 'share', round(served / wanted, 12), NULL::text);
	END IF;

	RETURN QUERY
	SELECT 'latency reach', r.budget_ms || ' ms', 'network', 'share', round(exact_numeric(r.reached) / exact_numeric(r.demand), 12), NULL::text
	FROM epoch_reach r WHERE r.epoch_id = $1 AND r.scope = 'network' AND r.demand > 0
	UNION ALL
	SELECT 'data residency', r.budget_ms || ' ms', 'network', 'share', round(sum(exact_numeric(r.resident)) / sum(exact_numeric(r.demand)), 12), NULL
	FROM epoch_reach r WHERE r.epoch_id = $1 AND r.scope = 'jurisdiction' GROUP BY r.budget_ms HAVING sum(exact_numeric(r.demand)) > 0;

	RETURN QUERY
	WITH kind AS (
		SELECT r.*, r.supply > 0 AND coalesce(o.supply, 0) = 0 AS appeared
		FROM epoch_resource r LEFT JOIN epoch_resource o ON o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type
		WHERE r.epoch_id = $1
	)
	SELECT 'capacity', k.resource_type::text, k.family, k.unit, round(k.supply, 9), NULL::text FROM kind k
	UNION ALL SELECT 'added', k.resource_type, k.family, k.unit, round(k.growth, 9), NULL FROM kind k
	UNION ALL SELECT 'price', k.resource_type, k.family, 'factor', k.price, NULL FROM kind k
	UNION ALL SELECT 'capacity of family', k.family, k.family, 'contribution', round(sum(k.unit_value * k.supply), 9), NULL FROM kind k GROUP BY k.family
	UNION ALL SELECT 'added in family', k.family, k.family, 'contribution', round(sum(k.unit_value * k.growth), 9), NULL FROM kind k GROUP BY k.family
	UNION ALL SELECT 'niche resource types offered', '', 'niche', 'types', count(*), string_agg(k.resource_type, ', ' ORDER BY k.resource_type)
		FROM kind k WHERE k.family = 'niche' AND k.supply > 0
	UNION ALL SELECT 'niche resource types appeared', '', 'niche', 'types', count(*), string_agg(k.resource_type, ', ' ORDER BY k.resource_type)
		FROM kind k WHERE k.family = 'niche' AND k.appeared;

	RETURN QUERY
	WITH kind AS (
		SELECT r.*, r.quality_work > 0 AND coalesce(o.quality_work, 0) = 0 AS appeared
		FROM epoch_service r LEFT JOIN epoch_service o ON o.epoch_id = e.previous_epoch_id AND o.service_type = r.service_type
		WHERE r.epoch_id = $1
	)
	SELECT 'work', k.service_type::text, 'service', k.unit, k.work, NULL::text FROM kind k
	UNION ALL SELECT 'services offered', '', 'service', 'services', count(*), string_agg(k.service_type, ', ' ORDER BY k.service_type)
		FROM kind k WHERE k.quality_work > 0
	UNION ALL SELECT 'services appeared', '', 'service', 'services', count(*), string_agg(k.service_type, ', ' ORDER BY k.service_type)
		FROM kind k WHERE k.appeared;
END $$;

COMMENT ON FUNCTION metric_row(bigint) IS
'the rows of epoch_metric, computed from the frozen rows and fields of an epoch and the one before; an unknown epoch is an error';

CREATE FUNCTION freeze_growth(epoch_id bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO epoch_reach (epoch_id, scope, place, budget_ms, radius_m, demand, reached, resident)
	SELECT freeze_growth.epoch_id, r.scope, r.place, r.budget_ms, r.radius_m, r.demand, r.reached, r.resident
	FROM reach_row(freeze_growth.epoch_id) r;
	INSERT INTO epoch_metric (epoch_id, kind, subject, family, unit, value, detail)
	SELECT freeze_growth.epoch_id, m.kind, m.subject, m.family, m.unit, m.value, m.detail
	FROM metric_row(freeze_growth.epoch_id) m;
END $$;

COMMENT ON FUNCTION freeze_growth(bigint) IS
'run_epoch step, after freeze_market: writes epoch_reach and epoch_metric of an open epoch';

CREATE FUNCTION verify_growth(epoch_id bigint) RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	bad bigint;
	skipped bigint;
BEGIN
	-- a place whose boundary is another one today cannot be computed again
	WITH redrawn AS (
		SELECT x.region, x.jurisdiction FROM epoch_region x JOIN region g ON g.code = x.region
		WHERE x.epoch_id = $1 AND x.boundary_digest <> sha256(ST_AsBinary(g.boundary))
	)
	SELECT count(*) FILTER (WHERE NOT c.moved AND c.differs), count(*) FILTER (WHERE c.moved) INTO bad, skipped
	FROM (SELECT (scope = 'region' AND place IN (SELECT r.region FROM redrawn r))
				OR (scope = 'jurisdiction' AND place IN (SELECT r.jurisdiction FROM redrawn r WHERE r.jurisdiction IS NOT NULL)) AS moved,
			(a.radius_m, a.demand, a.reached, a.resident) IS DISTINCT FROM (b.radius_m, b.demand, b.reached, b.resident) AS differs
		FROM reach_row($1) a FULL JOIN (SELECT * FROM epoch_reach x WHERE x.epoch_id = $1) b USING (scope, place, budget_ms)) c;
	RETURN QUERY SELECT 'latency reach', bad = 0, format('%s rows differ', bad)
		|| CASE WHEN skipped > 0 THEN format(', %s not compared: boundaries have changed since', skipped) ELSE '' END;

	SELECT count(*) INTO bad
	FROM metric_row($1) a FULL JOIN (SELECT * FROM epoch_metric x WHERE x.epoch_id = $1) b USING (kind, subject)
	WHERE (a.family, a.unit, a.value, a.detail) IS DISTINCT FROM (b.family, b.unit, b.value, b.detail);
	RETURN QUERY SELECT 'growth metrics', bad = 0, format('%s metrics differ', bad);
END $$;

COMMENT ON FUNCTION verify_growth(bigint) IS
'the part of verify_epoch that recomputes epoch_reach and epoch_metric; an unknown epoch is an error';

CREATE OR REPLACE FUNCTION seal_epoch(epoch_id bigint) RETURNS bytea
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

CREATE OR REPLACE FUNCTION epoch_balance(epoch_id bigint)
RETURNS TABLE (component text, rule text, wanted numeric, found numeric)
LANGUAGE sql STABLE STRICT SET enable_nestloop = off SET jit = off
BEGIN ATOMIC
	SELECT NULL::text, 'the pools'' budgets add up to the budget', min(e.budget), coalesce(sum(p.budget), 0)
	FROM epoch e LEFT JOIN epoch_pool p ON p.epoch_id = e.epoch_id
	WHERE e.epoch_id = (SELECT (known_epoch(epoch_balance.epoch_id)).epoch_id)
	UNION ALL
	SELECT NULL, 'there is a pool for each component', (SELECT count(*) FROM component),
		(SELECT count(*) FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id)
	UNION ALL
	SELECT p.component, 'budget + carried in = paid + carried out + treasury', p.budget + p.carried_in, p.paid + p.carried_out + p.treasury
	FROM epoch_pool p WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT p.component, 'carried in = carried out of the previous epoch', coalesce(q.carried_out, 0), p.carried_in
	FROM epoch_pool p JOIN epoch e ON e.epoch_id = p.epoch_id
		LEFT JOIN epoch_pool q ON q.epoch_id = e.previous_epoch_id AND q.component = p.component
	WHERE p.epoch_id = epoch_balance.epoch_id
	UNION ALL
	SELECT c.code, 'the rewards add up to paid', coalesce(p.paid, 0), coalesce(r.amount, 0)
	FROM component c
		LEFT JOIN epoch_pool p ON p.epoch_id = epoch_balance.epoch_id AND p.component = c.code
		LEFT JOIN (SELECT r.component, sum(r.amount) AS amount FROM reward r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.component) r ON r.component = c.code
	UNION ALL
	SELECT p.component || ' ' || p.part, 'the amounts add up to paid', p.paid, coalesce(sum(r.amount), 0)
	FROM epoch_pool_part p LEFT JOIN reward_part r ON r.epoch_id = p.epoch_id AND r.component = p.component AND r.part = p.part
	WHERE p.epoch_id = epoch_balance.epoch_id
	GROUP BY p.epoch_id, p.component, p.part
	UNION ALL
	SELECT 'coverage_gaps', 'rewards that differ from the sum of their halves', 0, count(*)
	FROM (SELECT r.node_id, r.amount FROM reward r WHERE r.epoch_id = epoch_balance.epoch_id AND r.component = 'coverage_gaps') a
		FULL JOIN (SELECT r.node_id, sum(r.amount) AS amount FROM reward_part r
			WHERE r.epoch_id = epoch_balance.epoch_id GROUP BY r.node_id) b USING (node_id)
	WHERE a.amount IS DISTINCT FROM b.amount
	UNION ALL
	SELECT NULL, 'rewards of no node, or of another provider than the node''s', 0, count(*)
	FROM (SELECT r.node_id, r.provider_id FROM reward r WHERE r.epoch_id = epoch_balance.epoch_id
			UNION ALL SELECT r.node_id, r.provider_id FROM reward_part r WHERE r.epoch_id = epoch_balance.epoch_id) r
		LEFT JOIN epoch_node n ON n.epoch_id = epoch_balance.epoch_id AND n.node_id = r.node_id
	WHERE r.provider_id IS DISTINCT FROM n.provider_id
	UNION ALL
	SELECT NULL, 'resources and services of no node', 0, count(*)
	FROM (SELECT r.node_id FROM epoch_node_resource r WHERE r.epoch_id = epoch_balance.epoch_id
			UNION ALL SELECT s.node_id FROM epoch_node_service s WHERE s.epoch_id = epoch_balance.epoch_id) r
	WHERE NOT EXISTS (SELECT FROM epoch_node n WHERE n.epoch_id = epoch_balance.epoch_id AND n.node_id = r.node_id);
END;
COMMENT ON FUNCTION epoch_balance(bigint) IS
'the invariants of an epoch''s money, and that its rows belong together: each rule with the figure wanted and the figure found, which must be equal. No row for NULL; errors: no such epoch';

CREATE OR REPLACE FUNCTION epoch_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	bad record;
BEGIN
	IF TG_OP = 'DELETE' THEN
		IF OLD.status <> 'planned' THEN
			RAISE EXCEPTION 'cannot delete epoch %, which is %', OLD.epoch_id, OLD.status
				USING ERRCODE = 'restrict_violation', HINT = 'Only planned epochs can be deleted.';
		END IF;
		RETURN OLD;
	END IF;
	IF NEW.status = 'planned' AND (TG_OP = 'INSERT' OR NEW.period <> OLD.period) THEN
		SELECT e.epoch_id, e.period INTO bad FROM epoch e
		WHERE e.status <> 'planned' AND e.epoch_id <> NEW.epoch_id AND lower(e.period) >= upper(NEW.period) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot plan an epoch for %: epoch % for % has been computed already', NEW.period, bad.epoch_id, bad.period
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs are computed strictly in order; plan it after the last computed one.';
		END IF;
	END IF;
	IF TG_OP = 'INSERT' THEN
		RETURN NEW;
	END IF;
	IF OLD.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be changed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN
		(('planned', 'open'), ('open', 'computed'), ('computed', 'open'), ('computed', 'final')) THEN
		RAISE EXCEPTION 'epoch % cannot go from % to %', OLD.epoch_id, OLD.status, NEW.status
			USING ERRCODE = 'restrict_violation', HINT = 'The order is planned, open, computed, final; a computed epoch may be opened again.';
	END IF;
	IF OLD.status <> 'planned' AND (NEW.epoch_id, NEW.period, NEW.budget, NEW.policy_id, NEW.epoch_no, NEW.previous_epoch_id, NEW.emission_no)
		IS DISTINCT FROM (OLD.epoch_id, OLD.period, OLD.budget, OLD.policy_id, OLD.epoch_no, OLD.previous_epoch_id, OLD.emission_no) THEN
		RAISE EXCEPTION 'cannot change period, budget, policy or order of epoch %, which is %', OLD.epoch_id, OLD.status
			USING ERRCODE = 'restrict_violation', HINT = 'They are fixed when an epoch is opened.';
	END IF;
	IF OLD.status = 'computed' AND NEW.status <> 'open' AND (NEW.supply, NEW.demand, NEW.closing_supply, NEW.digest, NEW.computed_at)
		IS DISTINCT FROM (OLD.supply, OLD.demand, OLD.closing_supply, OLD.digest, OLD.computed_at) THEN
		RAISE EXCEPTION 'cannot change the fields or the digest of epoch %, which is computed', OLD.epoch_id
			USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch to recompute it.';
	END IF;
	IF NEW.status IN ('computed', 'final') AND NEW.status <> OLD.status THEN
		SELECT b.* INTO bad FROM epoch_balance(NEW.epoch_id) b WHERE b.wanted <> b.found LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % does not balance: %', NEW.epoch_id, concat_ws(': ', bad.component, bad.rule)
				USING ERRCODE = 'check_violation', DETAIL = format('Wanted %s, found %s.', bad.wanted, bad.found);
		END IF;
		IF NEW.digest IS DISTINCT FROM epoch_seal_digest(NEW.epoch_id) THEN
			RAISE EXCEPTION 'the digest of epoch % does not match its seal', NEW.epoch_id
				USING ERRCODE = 'check_violation', HINT = 'CALL run_epoch to compute it.';
		END IF;
	END IF;
	IF NEW.status = 'open' AND OLD.status = 'computed' THEN
		SELECT e.epoch_id INTO bad FROM epoch e
		WHERE e.status IN ('computed', 'final') AND e.previous_epoch_id = OLD.epoch_id;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot open epoch % again: epoch % starts from its closing state', OLD.epoch_id, bad.epoch_id
				USING ERRCODE = 'restrict_violation', HINT = 'CALL run_epoch, which recomputes the later epochs too.';
		END IF;
	END IF;
	IF NEW.status = 'final' THEN
		SELECT e.epoch_id, e.status INTO bad FROM epoch e WHERE e.epoch_id = NEW.previous_epoch_id AND e.status <> 'final';
		IF FOUND THEN
			RAISE EXCEPTION 'epoch % cannot become final: epoch % before it is %', NEW.epoch_id, bad.epoch_id, bad.status
				USING ERRCODE = 'restrict_violation', HINT = 'Epochs become final in order.';
		END IF;
	END IF;
	RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION epoch_share(epoch_id bigint, component text, part text, released numeric)
RETURNS TABLE (node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE PARALLEL SAFE ROWS 100000 COST 1000000 SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	cap_bps int;
BEGIN
	SELECT p.provider_cap_bps INTO cap_bps FROM policy p JOIN epoch e USING (policy_id) WHERE e.epoch_id = $1;
	IF cap_bps IS NULL THEN
		RETURN QUERY
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, $4) OVER (ORDER BY s.node_id)
		FROM epoch_score($1, $2, $3) s;
	ELSE
		RETURN QUERY
		WITH s AS MATERIALIZED (
			SELECT * FROM epoch_score($1, $2, $3)
		), total AS (
			SELECT s.provider_id, sum(s.score) AS score FROM s GROUP BY s.provider_id
		), capped AS (
			SELECT t.provider_id, allocate(t.score, $4, div($4 * cap_bps, 10000)) OVER (ORDER BY t.provider_id) AS amount FROM total t
		)
		SELECT s.node_id, s.provider_id, s.score, allocate(s.score, c.amount) OVER (PARTITION BY s.provider_id ORDER BY s.node_id)
		FROM s JOIN capped c USING (provider_id);
	END IF;
END $$;
COMMENT ON FUNCTION epoch_share(bigint, text, text, numeric) IS
'apportions base units over the scores of a component (and part): largest remainders in the order of node_id; with a provider cap first over providers, capped, then over the nodes of each. NULL part for components without parts';

CREATE FUNCTION epoch_shares(epoch_id bigint)
RETURNS TABLE (component text, part text, node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE ROWS 500000 SET search_path FROM CURRENT SET jit = off
SET parallel_setup_cost = 0 SET parallel_tuple_cost = 0 SET parallel_leader_participation = off AS $$
#variable_conflict use_column
DECLARE
	lots text;
BEGIN
	-- a worker begins by planning everything anew, which few nodes are not worth
	IF NOT EXISTS (SELECT FROM epoch_node n WHERE n.epoch_id = $1 OFFSET 5000) THEN
		PERFORM set_config('parallel_setup_cost', '1e12', true);
	END IF;
	-- workers take one lot after the other, so what takes longest comes first
	SELECT string_agg(format('SELECT %1$L::text, %2$L::text, s.* FROM epoch_share($1, %1$L, %2$L, %3$L) s', l.component, l.part, l.released),
		' UNION ALL ' ORDER BY array_position(ARRAY['network_capacity', 'coverage_gaps', 'specialization', 'service_types'], l.component), l.part) INTO lots
	FROM (SELECT r.component, h.part, coalesce(h.released, r.released) AS released
		FROM epoch_release($1) r LEFT JOIN LATERAL epoch_release_part($1, r.component, r.released) h ON true) l;
	RETURN QUERY EXECUTE lots USING epoch_id;
END $$;
COMMENT ON FUNCTION epoch_shares(bigint) IS
'epoch_share of every pool of an epoch, and of both halves of coverage_gaps, with what epoch_release has for each; parallel workers take a pool at a time. Errors: unknown epoch, or one that is planned';

CREATE OR REPLACE FUNCTION pay_epoch(epoch_id bigint) RETURNS numeric
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	pool record;
	available numeric;
	total numeric := 0;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	PERFORM epoch_phase($1, 'rewards');
	-- in the order of the keys, which their indexes like
	WITH shared AS MATERIALIZED (
		SELECT * FROM epoch_shares($1)
	), put_part AS (
		INSERT INTO reward_part (epoch_id, node_id, provider_id, component, part, score, amount)
		SELECT $1, s.node_id, s.provider_id, s.component, s.part, s.score, s.amount
		FROM shared s WHERE s.part IS NOT NULL
		ORDER BY s.node_id, s.part
	)
	INSERT INTO reward (epoch_id, node_id, provider_id, component, score, amount)
	SELECT $1, s.node_id, s.provider_id, s.component, s.score, s.amount
	FROM (SELECT w.node_id, w.provider_id, w.component, w.score, w.amount FROM shared w WHERE w.part IS NULL
		UNION ALL
		SELECT h.node_id, h.provider_id, h.component, sum(h.score), sum(h.amount) FROM shared h WHERE h.part IS NOT NULL
		GROUP BY h.node_id, h.provider_id, h.component) s
	ORDER BY s.node_id, s.component;

	FOR pool IN
		SELECT r.component AS code, r.budget, r.carried_in, r.released, coalesce(w.paid, 0) AS paid, coalesce(w.score, 0) AS score
		FROM epoch_release($1) r LEFT JOIN (SELECT x.component, sum(x.amount) AS paid, sum(x.score) AS score FROM reward x
			WHERE x.epoch_id = $1 GROUP BY x.component) w ON w.component = r.component
	LOOP
		PERFORM epoch_phase($1, 'pay ' || pool.code);
		available := pool.budget + pool.carried_in;
		INSERT INTO epoch_pool (epoch_id, component, budget, carried_in, released, paid, carried_out, treasury, score)
		VALUES ($1, pool.code, pool.budget, pool.carried_in, pool.released, pool.paid,
			CASE p.unpaid_to WHEN 'carry' THEN available - pool.paid ELSE 0 END,
			CASE p.unpaid_to WHEN 'treasury' THEN available - pool.paid ELSE 0 END, pool.score);
		INSERT INTO epoch_pool_part (epoch_id, component, part, released, paid, score)
		SELECT $1, pool.code, h.part, h.released, coalesce(w.paid, 0), coalesce(w.score, 0)
		FROM epoch_release_part($1, pool.code, pool.released) h
			LEFT JOIN (SELECT x.component, x.part, sum(x.amount) AS paid, sum(x.score) AS score FROM reward_part x
				WHERE x.epoch_id = $1 GROUP BY x.component, x.part) w ON w.component = pool.code AND w.part = h.part;
		total := total + pool.paid;
		RAISE NOTICE 'epoch %: % pays % of %', $1, pool.code, pool.paid, available;
	END LOOP;
	RETURN total;
END $$;
COMMENT ON FUNCTION pay_epoch(bigint) IS
'run_epoch step, last: splits the budget over the pools, apportions each and writes epoch_pool, epoch_pool_part, reward and reward_part; returns the base units paid';

CREATE PROCEDURE run_epoch(epoch_id bigint, reason text DEFAULT NULL)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET jit = off
-- how many rows and how many different ones is all that the plans need to know
SET default_statistics_target = 30 AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	prior epoch;
	p policy;
	one bigint;
	todo bigint[];
	nodes bigint;
	paid numeric;
	seen record;
	t text;
BEGIN
	IF reason = '' THEN
		RAISE EXCEPTION 'the reason for computing epoch % is empty', $1
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a reason, or NULL to have it found out.';
	END IF;
	IF NOT try_epoch_lock() THEN
		RAISE EXCEPTION 'another session is computing an epoch'
			USING ERRCODE = 'lock_not_available', HINT = 'Try again when it has finished.';
	END IF;
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1 FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF e.status = 'final' THEN
		RAISE EXCEPTION 'epoch % is final and cannot be computed again', $1
			USING ERRCODE = 'restrict_violation', HINT = 'Corrections of a final epoch are rows of restatement.';
	END IF;
	IF upper(e.period) > now() THEN
		RAISE EXCEPTION 'epoch % has not ended: its period is %', $1, e.period
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Compute it after its end.';
	END IF;
	SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
	IF prior.status IN ('planned', 'open') THEN
		RAISE EXCEPTION 'epoch % comes before epoch % and is %', prior.epoch_id, $1, prior.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', prior.epoch_id);
	END IF;

	PERFORM epoch_phase($1, 'clear');
	-- the epochs after it that were computed start from its closing state
	SELECT array_agg(l.epoch_id ORDER BY l.period) INTO todo FROM epoch l
	WHERE l.epoch_id = $1 OR (l.status IN ('open', 'computed') AND lower(l.period) >= upper(e.period));
	FOR one IN SELECT u FROM unnest(todo) WITH ORDINALITY x (u, o) ORDER BY o DESC LOOP
		UPDATE epoch SET status = 'open' WHERE epoch.epoch_id = one AND status = 'computed';
		FOR t IN SELECT 'epoch_seal' UNION ALL (SELECT r.relation FROM sealed_relation() WITH ORDINALITY r (relation, o) ORDER BY r.o DESC) LOOP
			EXECUTE format('DELETE FROM %I WHERE epoch_id = $1', t) USING one;
		END LOOP;
	END LOOP;

	FOREACH one IN ARRAY todo LOOP
		SELECT * INTO STRICT e FROM epoch WHERE epoch.epoch_id = one FOR UPDATE;
		SELECT * INTO prior FROM epoch WHERE upper(epoch.period) <= lower(e.period) ORDER BY epoch.period DESC LIMIT 1;
		IF e.status = 'planned' THEN
			SELECT * INTO STRICT p FROM policy
			WHERE policy_id = coalesce(e.policy_id, policy_in_effect(lower(e.period))) FOR UPDATE;
			IF p.sealed_rules IS NULL THEN
				UPDATE policy SET sealed_rules = (SELECT count(*) FROM specialization s WHERE s.policy_id = p.policy_id)
				WHERE policy_id = p.policy_id;
			END IF;
			UPDATE epoch SET status = 'open', policy_id = p.policy_id, epoch_no = coalesce(prior.epoch_no, 0) + 1,
				budget = CASE WHEN emission_no IS NULL THEN budget END,
				previous_epoch_id = prior.epoch_id, opened_at = clock_timestamp()
			WHERE epoch.epoch_id = one RETURNING * INTO e;
		ELSE
			SELECT * INTO STRICT p FROM policy WHERE policy_id = e.policy_id;
		END IF;
		RAISE NOTICE 'epoch %: % under policy %', one, e.period, p.name;

		PERFORM epoch_phase(one, 'nodes');
		SELECT * INTO seen FROM telemetry_changes(e.period);
		nodes := freeze_node(one);
		RAISE NOTICE 'epoch %: % nodes frozen', one, nodes;
		IF nodes > 1000 THEN
			-- fresh rows have no statistics, and plans for few would be slow for many
			-- (no plan depends on those of places, which take PostGIS longer than all others)
			ANALYZE epoch_node (epoch_id, node_id, provider_id, hardware_id, region, age, service_radius_m, quality, trust, contribution),
				epoch_node_resource, epoch_node_service;
		END IF;

		PERFORM epoch_phase(one, 'fields');
		UPDATE epoch SET demand = demand_field(e.period, p.grid_order), closing_supply = supply_field(one, p.grid_order),
			supply = opening_supply_field(prior.epoch_id, p.grid_order, p.memory_epochs)
		WHERE epoch.epoch_id = one;
		RAISE NOTICE 'epoch %: fields drawn', one;

		PERFORM epoch_phase(one, 'market');
		PERFORM freeze_market(one);
		IF nodes > 1000 THEN
			ANALYZE epoch_region, epoch_region_resource, epoch_resource, epoch_service, epoch_mark, epoch_first;
		END IF;
		PERFORM freeze_growth(one);
		RAISE NOTICE 'epoch %: regions, prices and marks set', one;

		paid := pay_epoch(one);
		PERFORM epoch_phase(one, 'seal');
		IF nodes > 1000 THEN
			ANALYZE reward, reward_part;
		END IF;
		UPDATE epoch SET status = 'computed', digest = seal_epoch(one), computed_at = clock_timestamp() WHERE epoch.epoch_id = one;
		PERFORM record_computation(one, CASE WHEN one = $1 THEN $2 ELSE concat_ws(': ', format('epoch %s before it was computed again', $1), $2) END, seen.came, seen.gone);
		PERFORM epoch_phase(one, '');
		RAISE NOTICE 'epoch %: computed, % of % paid', one, paid, e.budget;
	END LOOP;
END $$;
COMMENT ON PROCEDURE run_epoch(bigint, text) IS
'computes an epoch that has ended, in one transaction: freezes its inputs, draws its fields, apportions its pools, seals the result. A computed epoch is computed again from the tables as they are now, and with it every computed epoch after it. Each computation is recorded in epoch_computation with the reason, which is found out where none is given. Errors: no such epoch, final, not ended, an earlier one not computed, another session computing, an empty reason, raw telemetry is needed that was dropped';

CREATE PROCEDURE run_late_epochs()
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	late bigint;
BEGIN
	SELECT e.epoch_id INTO late
	FROM epoch e, LATERAL late_telemetry(e.epoch_id) l
	WHERE e.status = 'computed' AND (l.came > 0 OR l.gone > 0)
	ORDER BY e.period LIMIT 1;
	IF FOUND THEN
		CALL run_epoch(late);
	ELSE
		RAISE NOTICE 'no computed epoch has late telemetry';
	END IF;
END $$;

COMMENT ON PROCEDURE run_late_epochs() IS
'computes the first of the computed epochs again whose telemetry has changed since, and hence every computed epoch after it; for schedulers, before they make epochs final. Errors: as run_epoch';

CREATE FUNCTION verify_seal(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
BEGIN
	RETURN QUERY
	SELECT 'seal of ' || r.relation, s.relation IS NOT NULL AND d.row_count = s.row_count AND d.digest = s.digest,
		CASE WHEN s.relation IS NULL THEN 'not sealed'
			WHEN d.row_count <> s.row_count THEN format('%s rows, %s were sealed', d.row_count, s.row_count)
			WHEN d.digest <> s.digest THEN 'rows differ from those sealed' ELSE format('%s rows', d.row_count) END
	FROM (SELECT x.relation FROM sealed_relation() x UNION ALL VALUES ('epoch'), ('policy'), ('specialization')) r
		LEFT JOIN epoch_seal s ON s.epoch_id = $1 AND s.relation = r.relation
		LEFT JOIN LATERAL epoch_rows_digest($1, r.relation, s.columns) d ON true;
	RETURN QUERY SELECT 'digest', e.digest IS NOT DISTINCT FROM epoch_seal_digest($1), encode(e.digest, 'hex');
END $$;

COMMENT ON FUNCTION verify_seal(bigint) IS
'the part of verify_epoch that compares the rows of a computed epoch, its policy and its rules with their seals, and the seals with its digest';

CREATE FUNCTION verify_money(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
BEGIN
	RETURN QUERY
	SELECT concat_ws(': ', b.component, b.rule), b.wanted = b.found, format('wanted %s, found %s', b.wanted, b.found)
	FROM epoch_balance($1) b;
	RETURN QUERY
	SELECT 'weights of the policy', NOT EXISTS (
			SELECT p.component, p.budget FROM epoch_pool p WHERE p.epoch_id = $1
			EXCEPT SELECT w.code, allocate(w.bps::numeric, e.budget) OVER (ORDER BY w."position") FROM epoch_weight($1) w), NULL;

	RETURN QUERY
	SELECT 'emission of the policy', e.emission_no IS NULL OR (e.budget = emission(e.policy_id, e.emission_no)
			AND e.emission_no = (SELECT count(*) FROM epoch x WHERE x.policy_id = e.policy_id AND x.emission_no IS NOT NULL AND x.epoch_no <= e.epoch_no)),
		CASE WHEN e.emission_no IS NULL THEN 'the budget was given' ELSE format('emission %s', e.emission_no) END;
END $$;

COMMENT ON FUNCTION verify_money(bigint) IS
'the part of verify_epoch that adds up the money and compares the budget and its parts with the policy';

CREATE FUNCTION verify_node(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	bad bigint;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT count(*) INTO bad
	FROM epoch_node n, LATERAL node_rating(p, n.uptime, n.response_ms, n.error_rate_upper, n.beacons, n.location_excess_m) q
	WHERE n.epoch_id = $1 AND (n.availability, n.performance, n.trust, n.quality) IS DISTINCT FROM (q.availability, q.performance, q.trust, q.quality);
	RETURN QUERY SELECT 'quality of nodes', bad = 0, format('%s nodes differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT n.node_id, n.value FROM epoch_node n WHERE n.epoch_id = $1) a
		LEFT JOIN (SELECT r.node_id, sum(t.unit_value * r.units) AS value
			FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			WHERE r.epoch_id = $1 GROUP BY r.node_id) b USING (node_id)
	WHERE a.value <> coalesce(b.value, 0);
	RETURN QUERY SELECT 'value of nodes', bad = 0, format('%s nodes differ', bad);
END $$;

COMMENT ON FUNCTION verify_node(bigint) IS
'the part of verify_epoch that recomputes quality and value of the nodes';

CREATE FUNCTION verify_field(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	prior epoch;
	p policy;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT * INTO prior FROM epoch WHERE epoch.epoch_id = e.previous_epoch_id;
	RETURN QUERY SELECT 'closing supply field', e.closing_supply = supply_field($1, p.grid_order), NULL;
	RETURN QUERY SELECT 'opening supply field', e.supply = opening_supply_field(prior.epoch_id, p.grid_order, p.memory_epochs), NULL;
	RETURN QUERY SELECT 'order of epochs', e.epoch_no = coalesce(prior.epoch_no, 0) + 1
		AND (prior.epoch_id IS NULL OR (prior.status IN ('computed', 'final') AND upper(prior.period) <= lower(e.period))), NULL;
END $$;

COMMENT ON FUNCTION verify_field(bigint) IS
'the part of verify_epoch that draws the fields of supply again, and looks at the epoch before';

CREATE FUNCTION verify_market(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch := opened_epoch($1);
	p policy;
	bad bigint;
BEGIN
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT count(*) INTO bad FROM epoch_region r
	WHERE r.epoch_id = $1 AND r.multiplier IS DISTINCT FROM region_multiplier(r.covered, r.demand, r.target_fraction, p.region_multiplier_max);
	RETURN QUERY SELECT 'multipliers', bad = 0, format('%s regions differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_region_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		LEFT JOIN opening_region_supply(e.previous_epoch_id, p.memory_epochs) o ON o.region = r.region AND o.resource_type = r.resource_type
		LEFT JOIN (SELECT n.region, x.resource_type, sum(n.quality * x.units) AS supply
			FROM epoch_node n JOIN epoch_node_resource x ON x.epoch_id = n.epoch_id AND x.node_id = n.node_id
			WHERE n.epoch_id = $1 GROUP BY 1, 2) s ON s.region = r.region AND s.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND (r.opening_supply <> coalesce(o.supply, 0) OR r.supply <> coalesce(s.supply, 0)
		OR r.rate <> gap_rate(t.unit_value, r.demand, r.opening_supply, r.supply));
	RETURN QUERY SELECT 'resources of regions', bad = 0, format('%s rows differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_resource r LEFT JOIN epoch_capacity($1) c ON c.resource_type = r.resource_type
	WHERE r.epoch_id = $1 AND ((r.supply, r.growth) IS DISTINCT FROM (coalesce(c.supply, 0), coalesce(c.growth, 0))
		OR r.demand <> coalesce((SELECT sum(d.demand) FROM epoch_region_resource d WHERE d.epoch_id = $1 AND d.resource_type = r.resource_type), 0)
		OR r.price <> next_price(r.previous_price, r.demand, r.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max)
		OR r.need <> coalesce(r.growth_need, greatest(0, r.demand - r.opening_mark))
		OR r.pot <> capacity_pot(r.unit_value, r.supply, r.opening_mark, r.need)
		OR r.previous_price <> coalesce((SELECT o.price FROM epoch_resource o WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.previous_price)
		OR r.opening_mark <> coalesce((SELECT greatest(o.opening_mark, o.supply) FROM epoch_resource o
			WHERE o.epoch_id = e.previous_epoch_id AND o.resource_type = r.resource_type), r.opening_mark));
	RETURN QUERY SELECT 'prices, marks and pots of resources', bad = 0, format('%s kinds differ', bad);

	SELECT count(*) INTO bad
	FROM epoch_service r LEFT JOIN epoch_work($1) s ON s.service_type = r.service_type
	WHERE r.epoch_id = $1 AND (r.work, r.quality_work, r.pot) IS DISTINCT FROM
		(coalesce(s.work, 0), coalesce(s.quality_work, 0), service_pot(r.premium, coalesce(s.work, 0), p.service_alpha));
	RETURN QUERY SELECT 'pots of services', bad = 0, format('%s services differ', bad);

	SELECT count(*) INTO bad
	FROM (SELECT m.resource_type, m.hardware_id, m.provider_id, m.units FROM epoch_mark m WHERE m.epoch_id = $1) a
		FULL JOIN (SELECT o.resource_type, o.hardware_id, o.provider_id, o.units FROM epoch_owner($1) o WHERE o.units > o.opening_mark
			UNION ALL SELECT r.resource_type, NULL, NULL, r.supply FROM epoch_resource r WHERE r.epoch_id = $1 AND r.supply > r.opening_mark) b
		ON a.resource_type = b.resource_type AND coalesce('h' || a.hardware_id, 'p' || a.provider_id, '') = coalesce('h' || b.hardware_id, 'p' || b.provider_id, '')
	WHERE a.units IS DISTINCT FROM b.units;
	RETURN QUERY SELECT 'high-water marks', bad = 0, format('%s marks differ', bad);
END $$;

COMMENT ON FUNCTION verify_market(bigint) IS
'the part of verify_epoch that recomputes regions, their resources, prices, marks, pots and services';

CREATE FUNCTION verify_reward(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	part record;
	bad bigint;
BEGIN
	PERFORM (opened_epoch($1)).epoch_id;
	FOR part IN
		SELECT t.component, NULL::text AS part, t.released FROM epoch_pool t WHERE t.epoch_id = $1 AND t.component <> 'coverage_gaps'
		UNION ALL SELECT t.component, t.part, t.released FROM epoch_pool_part t WHERE t.epoch_id = $1
	LOOP
		SELECT count(*) INTO bad
		FROM epoch_share($1, part.component, part.part, part.released) a
			FULL JOIN (SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward r
					WHERE r.epoch_id = $1 AND r.component = part.component AND part.part IS NULL
				UNION ALL SELECT r.node_id, r.provider_id, r.score, r.amount FROM reward_part r
					WHERE r.epoch_id = $1 AND r.component = part.component AND r.part = part.part) b USING (node_id)
		WHERE (a.provider_id, a.score, a.amount) IS DISTINCT FROM (b.provider_id, b.score, b.amount);
		RETURN QUERY SELECT concat_ws(' ', 'rewards of', part.component, part.part), bad = 0, format('%s rewards differ', bad);
	END LOOP;
END $$;
COMMENT ON FUNCTION verify_reward(bigint) IS
'the part of verify_epoch that computes scores again and apportions the pools over them';

CREATE OR REPLACE FUNCTION verify_epoch(epoch_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET jit = off AS $$
DECLARE
	state text;
	part text;
BEGIN
	SELECT e.status INTO state FROM epoch e WHERE e.epoch_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF state NOT IN ('computed', 'final') THEN
		RAISE EXCEPTION 'epoch % is % and has no result to verify', $1, state
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	FOREACH part IN ARRAY ARRAY['verify_seal', 'verify_money', 'verify_node', 'verify_location', 'verify_field', 'verify_market', 'verify_growth', 'verify_reward'] LOOP
		BEGIN
			RETURN QUERY EXECUTE format('SELECT * FROM %I($1)', part) USING $1;
		EXCEPTION WHEN OTHERS THEN
			-- the machine's troubles are not the epoch's
			IF left(SQLSTATE, 2) IN ('53', '57', '58') THEN
				RAISE;
			END IF;
			RETURN QUERY SELECT part, false, format('cannot be computed: %s', SQLERRM);
		END;
	END LOOP;
END $$;

COMMENT ON FUNCTION verify_epoch(bigint) IS
'recomputes a computed or final epoch from its frozen inputs and compares seals, digest, money, every derived row and every reward; one row per check, ok is false where something differs. A part that cannot be computed from what it finds has one row with its name, verify_seal, verify_money, verify_node, verify_location, verify_field, verify_market, verify_growth or verify_reward, and the error as detail. Errors: unknown epoch, not computed';

CREATE TYPE explanation AS (component text, part text, term text, value numeric, note text);

COMMENT ON TYPE explanation IS
'one line of an explanation: component, part of coverage_gaps (geographic, resource; NULL elsewhere), term, its exact value, and what it means';

CREATE FUNCTION check_sees_rewards() RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF NOT sees_all_rewards() THEN
		RAISE EXCEPTION 'permission denied to see the rewards of all providers'
			USING ERRCODE = 'insufficient_privilege', HINT = format('They count for every share. SELECT swarm_reward.grant_role(''analyst'', %L) lets this role see them.', current_user);
	END IF;
END $$;

COMMENT ON FUNCTION check_sees_rewards() IS 'error unless the current user may see the rewards of all providers';

CREATE FUNCTION computed_epoch(epoch_id bigint) RETURNS epoch
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch := known_epoch($1);
BEGIN
	IF e.status NOT IN ('computed', 'final') THEN
		RAISE EXCEPTION 'epoch % is % and has no rewards yet', $1, e.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) first.', $1);
	END IF;
	RETURN e;
END $$;

COMMENT ON FUNCTION computed_epoch(bigint) IS 'an epoch that has been computed. Errors: there is none with this key, or it has not';

CREATE FUNCTION explain_figure(x numeric, other numeric DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	short numeric := trim_scale(round(x, CASE WHEN x = 0 THEN 0 ELSE greatest(0, 5 - floor(log(abs(x)))::int) END));
BEGIN
	IF x <> other AND short = round(other, CASE WHEN other = 0 THEN 0 ELSE greatest(0, 5 - floor(log(abs(other)))::int) END) THEN
		RETURN trim_scale(x);
	END IF;
	RETURN short;
END $$;

COMMENT ON FUNCTION explain_figure(numeric, numeric) IS
'a number for reading: six digits, whole numbers in full, and all digits where it would else look like the other number that it is compared with. NULL for NULL';

CREATE FUNCTION explain_measure(x numeric, unit text, other numeric DEFAULT NULL) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	IF unit = '%' THEN
		RETURN explain_figure(100 * x, 100 * other) || ' %';
	END IF;
	RETURN explain_figure(x, other) || coalesce(' ' || unit, '');
END $$;

COMMENT ON FUNCTION explain_measure(numeric, text, numeric) IS
'a number with its unit (NULL: none) for reading; with the unit % a fraction as a percentage. NULL for NULL';

CREATE FUNCTION explain_ramp(what text, unit text, x numeric, a numeric, b numeric, factor numeric, factor_name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
DECLARE
	low numeric := least(a, b);
BEGIN
	IF x IS NULL THEN
		RETURN format('%s is not known', what);
	ELSIF factor = 1 THEN
		RETURN format('%s %s reaches the target %s: %s 1', what, explain_measure(x, unit, b), explain_measure(b, unit), factor_name);
	ELSIF factor = 0 THEN
		RETURN format('%s %s is not %s %s, where %s begins; it would be 1 at the target %s', what, explain_measure(x, unit, a),
			CASE a WHEN low THEN 'above' ELSE 'below' END, explain_measure(a, unit), factor_name, explain_measure(b, unit));
	END IF;
	RETURN format('%s %s is %s the target %s: %s %s = (%s - %s) / (%s - %s)', what, explain_measure(x, unit, b),
		CASE a WHEN low THEN 'below' ELSE 'above' END, explain_measure(b, unit), factor_name, explain_figure(factor),
		explain_figure(greatest(x, a), low), explain_figure(least(x, a)), explain_figure(greatest(a, b)), explain_figure(low));
END $$;

COMMENT ON FUNCTION explain_ramp(text, text, numeric, numeric, numeric, numeric, text) IS
'a sentence about factor = ramp(x; a, b) of a quantity with a name and a unit (NULL: none)';

CREATE FUNCTION explain_quotient(a numeric, b numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT div(a * 1000000000000, b) * 0.000000000001;
END;

COMMENT ON FUNCTION explain_quotient(numeric, numeric) IS
'a / b cut, not rounded, to twelve decimals: its whole part is exact, where that of a rounded quotient might be one too many';

CREATE FUNCTION explain_quality(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'quality', NULL, v.term, v.value, v.note
	FROM (SELECT exact_numeric(n.uptime) AS uptime, exact_numeric(n.response_ms) AS response, exact_numeric(n.error_rate_upper) AS error,
			exact_numeric(n.availability) AS availability, exact_numeric(n.performance) AS performance, exact_numeric(n.trust) AS trust,
			exact_numeric(n.location_excess_m) AS excess,
			exact_numeric(ramp(n.response_ms, p.response_limit_ms::double precision, p.response_target_ms::double precision)) AS response_factor,
			exact_numeric(ramp(n.error_rate_upper, p.error_limit::double precision, p.error_target::double precision)) AS error_factor) x,
		LATERAL (VALUES
			(1, 'samples', n.samples::numeric, format('rows of telemetry within its membership, %s', n.active)),
			(2, 'errors', n.errors, 'of them not ok'),
			(3, 'uptime', x.uptime, CASE WHEN n.samples = 0 THEN 'without telemetry it counts as down'
				ELSE format('share of the slots of %s within %s that have a good sample', p.telemetry_slot, n.measured) END),
			(4, 'uptime_floor', p.uptime_floor, 'availability is 0 at or below it'),
			(5, 'uptime_target', p.uptime_target, 'availability is 1 at or above it'),
			(6, 'availability', x.availability, explain_ramp('uptime', '%', x.uptime, p.uptime_floor, p.uptime_target, x.availability, 'availability')),
			(7, 'response_ms', x.response, CASE WHEN n.response_ms IS NULL THEN 'no good sample has a response time'
				ELSE format('quantile %s of response times, ms', explain_figure(p.response_quantile)) END),
			(8, 'response_limit_ms', p.response_limit_ms, 'response_factor is 0 at or above it'),
			(9, 'response_target_ms', p.response_target_ms, 'response_factor is 1 at or below it'),
			(10, 'response_factor', coalesce(x.response_factor, 0), explain_ramp('response time', 'ms', x.response,
				p.response_limit_ms, p.response_target_ms, x.response_factor, 'response_factor')),
			(11, 'error_rate_upper', x.error, CASE WHEN n.error_rate_upper IS NULL THEN 'no samples'
				ELSE format('upper bound, at confidence %s, of an error rate of %s in %s; more samples bring it closer to the rate',
					explain_figure(p.error_confidence), n.errors, n.samples) END),
			(12, 'error_limit', p.error_limit, 'error_factor is 0 at or above it'),
			(13, 'error_target', p.error_target, 'error_factor is 1 at or below it'),
			(14, 'error_factor', coalesce(x.error_factor, 0), explain_ramp('error rate (upper bound)', '%', x.error,
				p.error_limit, p.error_target, x.error_factor, 'error_factor')),
			(15, 'performance', x.performance, format('square root of response_factor * error_factor = %s * %s',
				explain_figure(coalesce(x.response_factor, 0)), explain_figure(coalesce(x.error_factor, 0)))),
			(16, 'beacons', n.beacons, 'beacons that measured a round-trip time'),
			(17, 'min_beacons', p.min_beacons, format('with fewer, trust is %s', explain_figure(p.unattested_trust))),
			(18, 'location_excess_m', x.excess, CASE WHEN n.beacons = 0 THEN 'no beacon measured it'
				ELSE format('metres by which its place is farther from beacon %s, of all of them, than light in fibre goes in half the round-trip time of %s ms; negative: nearer',
					n.worst_beacon_id, explain_figure(exact_numeric(n.worst_rtt_ms))) END),
			(19, 'location_slack_m', p.location_slack_m, 'with more than that, trust is 0'),
			(20, 'trust', x.trust, CASE
				WHEN x.excess > p.location_slack_m THEN format('the claimed place is impossible by %s of its beacons: %s m more than the %s m allowed for', n.violations, explain_figure(x.excess - p.location_slack_m), explain_figure(p.location_slack_m))
				WHEN n.beacons < p.min_beacons THEN format('%s beacons measured it, fewer than %s: trust %s, where it would be 1', n.beacons, p.min_beacons, explain_figure(x.trust))
				ELSE 'no beacon found its place impossible' END),
			(21, 'quality', n.quality, format('availability * performance * trust = %s * %s * %s, to twelve decimals',
				explain_figure(x.availability), explain_figure(x.performance), explain_figure(x.trust)))
		) v (line, term, value, note)
	ORDER BY v.line;
END;

COMMENT ON FUNCTION explain_quality(epoch_node, policy) IS
'explain_reward step: from telemetry and round-trip times to quality, for a frozen node under the policy of its epoch';

CREATE FUNCTION explain_contribution(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id
	)
	SELECT 'contribution', NULL, x.term, x.value, x.note
	FROM (SELECT h.code, v.*
			FROM held h, LATERAL (VALUES
				(1, 'units of ' || h.code, h.units, 'averaged by time over the whole epoch'),
				(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1')) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 3, 'value', n.value, CASE WHEN n.value = 0 THEN 'it offers no resource that has a value'
			ELSE (SELECT 'sum of unit_value * units: ' || string_agg(format('%s * %s', explain_figure(h.unit_value), explain_figure(h.units)), ' + ' ORDER BY h.code) FROM held h) END
		UNION ALL
		SELECT NULL, 4, 'contribution', n.contribution, format('quality * value = %s * %s%s', explain_figure(n.quality), explain_figure(n.value),
			CASE WHEN n.quality < 1 AND n.value > 0 THEN format('; with quality 1 it would be %s', explain_figure(n.value)) END)
		) x
	ORDER BY x.code NULLS LAST, x.line;
END;

COMMENT ON FUNCTION explain_contribution(epoch_node) IS
'explain_reward step: from units and quality to the contribution of a frozen node';

CREATE FUNCTION explain_new_regions(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH x AS (
		SELECT r.region, exact_numeric(r.demand) AS demand, exact_numeric(r.covered) AS covered, r.target_fraction, r.multiplier,
			freshness(n.age, p.freshness_epochs) AS freshness,
			coalesce((SELECT w.score FROM reward w WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'new_regions'), 0) AS score
		FROM (VALUES (1)) one LEFT JOIN epoch_region r ON r.epoch_id = n.epoch_id AND r.region = n.region
	)
	SELECT 'new_regions', NULL, v.term, v.value, v.note
	FROM x, LATERAL (VALUES
		(1, 'contribution', n.contribution, 'quality * value'),
		(2, 'age', n.age::numeric, format('epochs since its provider, or its hardware under any provider, first contributed in region %s', x.region)),
		(3, 'freshness_epochs', p.freshness_epochs, 'epochs until a contribution in a region is no longer new'),
		(4, 'freshness', x.freshness, format('max(0, 1 - age / freshness_epochs) = max(0, 1 - %s / %s)', n.age, p.freshness_epochs)),
		(5, 'region_demand', x.demand, format('demand in region %s', x.region)),
		(6, 'region_covered', x.covered, CASE WHEN x.demand > 0 THEN format('of it covered when the epoch opened: %s', explain_measure(x.covered / x.demand, '%'))
			ELSE 'of it covered when the epoch opened' END),
		(7, 'target_fraction', x.target_fraction, 'share of the demand that should be covered'),
		(8, 'region_multiplier_max', p.region_multiplier_max, 'multiplier of a region without any coverage'),
		(9, 'multiplier', x.multiplier, CASE WHEN x.demand > 0 THEN format('1 + (region_multiplier_max - 1) * max(0, 1 - (region_covered / region_demand) / target_fraction) = 1 + (%s - 1) * max(0, 1 - %s / %s)',
				explain_figure(p.region_multiplier_max), explain_figure(x.covered / x.demand), explain_figure(x.target_fraction))
			ELSE 'a region without demand has 1' END)
		) v (line, term, value, note)
	WHERE x.region IS NOT NULL OR v.line <= 1
	UNION ALL
	SELECT 'new_regions', NULL, 'score', x.score, CASE
		WHEN x.region IS NULL THEN 'no region covers its place, and this component goes by region'
		WHEN n.contribution = 0 THEN 'its contribution is 0'
		WHEN x.freshness = 0 THEN format('not new in region %s any more: %s epochs, and it fades out in %s', x.region, n.age, p.freshness_epochs)
		WHEN x.multiplier = 1 THEN format('region %s was covered to its target when the epoch opened', x.region)
		ELSE format('contribution * freshness * (multiplier - 1) = %s * %s * (%s - 1)', explain_figure(n.contribution), explain_figure(x.freshness), explain_figure(x.multiplier)) END
	FROM x;
END;

COMMENT ON FUNCTION explain_new_regions(epoch_node, policy) IS 'explain_reward step: the score in new_regions';

CREATE FUNCTION explain_gap_geographic(n epoch_node, e epoch, p policy) RETURNS SETOF explanation
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	gap coverage := gap_field(e.demand, e.supply, p.supply_target::double precision);
	wanted numeric := exact_numeric(coverage_sum(e.demand, n.location, n.service_radius_m));
	missing numeric := exact_numeric(coverage_sum(gap, n.location, n.service_radius_m));
	share numeric := exact_numeric(greatest(0, coverage_sum(gap_share_field(gap, e.closing_supply, p.supply_target::double precision),
		n.location, n.service_radius_m)));
	score numeric := coalesce((SELECT w.score FROM reward_part w
		WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'coverage_gaps' AND w.part = 'geographic'), 0);
BEGIN
	RETURN QUERY
	SELECT 'coverage_gaps', 'geographic', v.*
	FROM (VALUES
		('contribution', n.contribution, 'quality * value'),
		('service_radius_m', exact_numeric(n.service_radius_m), 'radius of the disc that it serves, metres'),
		('demand_in_reach', wanted, 'demand D in the disc'),
		('gap_in_reach', missing, format('of it missing when the epoch opened: sum over the cells of the disc of G = D * max(0, 1 - S0 / %s), S0 being the supply then', explain_figure(p.supply_target))),
		('share', share, format('what each unit of contribution gets of the gap: sum over the cells of the disc of G * min(1, S1 / %s) / S1, S1 being the supply of all nodes that reach the cell', explain_figure(p.supply_target))),
		('score', score, CASE
			WHEN n.contribution = 0 THEN 'its contribution is 0'
			WHEN wanted = 0 THEN 'there is no demand in its reach'
			WHEN missing = 0 THEN 'all demand in its reach was served when the epoch opened'
			ELSE format('contribution * share = %s * %s', explain_figure(n.contribution), explain_figure(share)) END)
		) v;
END $$;

COMMENT ON FUNCTION explain_gap_geographic(epoch_node, epoch, policy) IS 'explain_reward step: the score in the geographic half of coverage_gaps';

CREATE FUNCTION explain_gap_resource(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value, coalesce(g.demand, 0) AS demand, coalesce(g.opening_supply, 0) AS opening_supply,
			coalesce(g.supply, 0) AS supply, coalesce(g.rate, 0) AS rate
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			LEFT JOIN epoch_region_resource g ON g.epoch_id = r.epoch_id AND g.region = n.region AND g.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND n.region IS NOT NULL AND r.units > 0
	)
	SELECT 'coverage_gaps', 'resource', x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, 'quality' AS term, n.quality AS value, 'of the node' AS note
		UNION ALL
		SELECT h.code, v.*
		FROM held h, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(3, 'demand of ' || h.code, h.demand, format('units wanted in region %s', n.region)),
			(4, 'opening_supply of ' || h.code, h.opening_supply, 'quality * units there when the epoch opened'),
			(5, 'supply of ' || h.code, h.supply, 'quality * units there in this epoch, of all nodes'),
			(6, 'rate of ' || h.code, h.rate, CASE
				WHEN h.demand = 0 THEN 'nobody wants it there'
				WHEN h.demand <= h.opening_supply THEN 'what is wanted there was supplied when the epoch opened'
				WHEN h.supply = 0 THEN 'nobody supplies it'
				ELSE format('unit_value * (demand - opening_supply) / max(supply, demand) = %s * (%s - %s) / %s, for each unit of quality * units', explain_figure(h.unit_value),
					explain_figure(h.demand, h.opening_supply), explain_figure(h.opening_supply), explain_figure(greatest(h.supply, h.demand))) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward_part w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'coverage_gaps' AND w.part = 'resource'), 0),
			CASE WHEN n.region IS NULL THEN 'no region covers its place, and this half goes by region'
				WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.rate > 0) THEN format('region %s lacks nothing that it offers', n.region)
				ELSE (SELECT format('quality * sum of units * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(h.units), explain_figure(h.rate)), ' + ' ORDER BY h.code)) FROM held h WHERE h.rate > 0) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;

COMMENT ON FUNCTION explain_gap_resource(epoch_node) IS 'explain_reward step: the score in the resource half of coverage_gaps';

CREATE FUNCTION explain_resource_types(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH held AS (
		SELECT r.resource_type AS code, r.units, t.unit_value, t.demand, t.supply, t.previous_price, t.price
		FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
		WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND r.units > 0
	)
	SELECT 'resource_types', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, v.*
		FROM (VALUES ('quality', n.quality, 'of the node'),
			('price_elasticity', p.price_elasticity, 'exponent of demand over supply'),
			('price_step', p.price_step, 'largest relative move of a price in one epoch'),
			('price_min', p.price_min, 'lowest price factor'), ('price_max', p.price_max, 'highest price factor')) v (term, value, note)
		UNION ALL
		SELECT h.code, v.*
		FROM held h, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(3, 'demand of ' || h.code, h.demand, 'units wanted in all regions'),
			(4, 'supply of ' || h.code, h.supply, 'quality * units of all nodes'),
			(5, 'previous_price of ' || h.code, h.previous_price, 'price of the previous epoch'),
			(6, 'price of ' || h.code, h.price, format('previous_price * (demand / supply) ^ price_elasticity = %s * (%s / %s) ^ %s, moved by at most %s and kept within %s to %s%s',
				explain_figure(h.previous_price), explain_figure(h.demand), explain_figure(h.supply), explain_figure(p.price_elasticity),
				explain_measure(p.price_step, '%'), explain_figure(p.price_min), explain_figure(p.price_max),
				CASE WHEN h.price <= 1 THEN '; not above 1: not scarce' END))
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'resource_types'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.price > 1 AND h.unit_value > 0) THEN 'nothing that it offers is scarce'
				ELSE (SELECT format('quality * sum of unit_value * units * (price - 1) = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s * (%s - 1)', explain_figure(h.unit_value), explain_figure(h.units), explain_figure(h.price, 1)), ' + ' ORDER BY h.code))
					FROM held h WHERE h.price > 1) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;

COMMENT ON FUNCTION explain_resource_types(epoch_node, policy) IS 'explain_reward step: the score in resource_types';

CREATE FUNCTION explain_network_capacity(n epoch_node) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH mine AS (	-- all that the owner of this node's marks offers
		SELECT r.resource_type AS code, sum(m.quality * r.units) AS units
		FROM epoch_node m JOIN epoch_node_resource r ON r.epoch_id = m.epoch_id AND r.node_id = m.node_id
		WHERE m.epoch_id = n.epoch_id AND (m.hardware_id = n.hardware_id
			OR (n.hardware_id IS NULL AND m.hardware_id IS NULL AND m.provider_id = n.provider_id))
		GROUP BY r.resource_type
	), held AS (
		SELECT x.*, CASE WHEN x.owner_units > x.mark AND x.pot > 0
			THEN round(round(x.pot * (x.owner_units - x.mark), 60) / (x.owner_units * x.growth), 60) ELSE 0 END AS rate
		FROM (SELECT r.resource_type AS code, r.units, r.opening_mark AS mark, m.units AS owner_units, t.unit_value,
				t.supply AS network_units, t.opening_mark AS network_mark, t.need, t.pot, t.growth
			FROM epoch_node_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
				JOIN mine m ON m.code = r.resource_type
			WHERE r.epoch_id = n.epoch_id AND r.node_id = n.node_id AND r.units > 0) x
	), owner AS (
		SELECT coalesce('hardware ' || n.hardware_id, 'provider ' || n.provider_id) AS name
	)
	SELECT 'network_capacity', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, 'quality' AS term, n.quality AS value, 'of the node' AS note
		UNION ALL
		SELECT h.code, v.*
		FROM held h, owner o, LATERAL (VALUES
			(1, 'units of ' || h.code, h.units, 'its own'),
			(2, 'owner_units of ' || h.code, h.owner_units, format('quality * units of %s%s', o.name,
				CASE WHEN n.hardware_id IS NULL THEN ', of all its nodes without a hardware id' END)),
			(3, 'owner_mark of ' || h.code, h.mark, format('the most that %s ever offered before', o.name)),
			(4, 'unit_value of ' || h.code, h.unit_value, 'contribution of one unit at quality 1'),
			(5, 'network_units of ' || h.code, h.network_units, 'quality * units of all nodes'),
			(6, 'network_mark of ' || h.code, h.network_mark, 'the most that the whole network ever offered before'),
			(7, 'need of ' || h.code, h.need, 'units of growth that are wanted'),
			(8, 'pot of ' || h.code, h.pot, CASE
				WHEN h.need = 0 THEN 'no more of it is wanted'
				WHEN h.network_units <= h.network_mark THEN 'the network has no more of it than it once had'
				ELSE format('unit_value * min(network_units - network_mark, need) = %s * min(%s - %s, %s)', explain_figure(h.unit_value),
					explain_figure(h.network_units, h.network_mark), explain_figure(h.network_mark), explain_figure(h.need)) END),
			(9, 'all_growth of ' || h.code, h.growth, 'sum of what every owner has above its own mark: what the pot is divided by'),
			(10, 'rate of ' || h.code, h.rate, CASE
				WHEN h.rate = 0 AND h.owner_units <= h.mark THEN format('%s offers no more of it than it once did', o.name)
				WHEN h.rate = 0 THEN 'the pot is empty'
				ELSE format('pot * (owner_units - owner_mark) / (owner_units * all_growth) = %s * (%s - %s) / (%s * %s), for each unit of quality * units', explain_figure(h.pot),
					explain_figure(h.owner_units, h.mark), explain_figure(h.mark), explain_figure(h.owner_units), explain_figure(h.growth)) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 11, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'network_capacity'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM held h) THEN 'it offers no resource'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.owner_units > h.mark) THEN format('%s offers no more than it once did', (SELECT o.name FROM owner o))
				WHEN NOT EXISTS (SELECT FROM held h WHERE h.rate > 0) THEN 'the network has not grown in what it offers beyond its past, or does not need to'
				ELSE (SELECT format('quality * sum of units * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(h.units), explain_figure(h.rate)), ' + ' ORDER BY h.code)) FROM held h WHERE h.rate > 0) END
		) x
	ORDER BY x.line = 11, x.line > 0, x.code, x.line;
END;

COMMENT ON FUNCTION explain_network_capacity(epoch_node) IS 'explain_reward step: the score in network_capacity';

CREATE FUNCTION explain_service_types(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH done AS (
		SELECT s.service_type AS code, s.work, t.premium, t.work AS network_work, t.pot, t.quality_work,
			CASE WHEN t.pot > 0 AND t.quality_work > 0 THEN round(round(t.pot, 60) / t.quality_work, 60) ELSE 0 END AS rate
		FROM epoch_node_service s JOIN epoch_service t ON t.epoch_id = s.epoch_id AND t.service_type = s.service_type
		WHERE s.epoch_id = n.epoch_id AND s.node_id = n.node_id AND s.work > 0
	)
	SELECT 'service_types', NULL, x.term, x.value, x.note
	FROM (SELECT NULL AS code, 0 AS line, v.*
		FROM (VALUES ('quality', n.quality, 'of the node'),
			('service_alpha', p.service_alpha, 'exponent of the network''s work: below 1, a rarer service pays more per unit')) v (term, value, note)
		UNION ALL
		SELECT d.code, v.*
		FROM done d, LATERAL (VALUES
			(1, 'work of ' || d.code, d.work, 'its own verified work'),
			(2, 'premium of ' || d.code, d.premium, 'weight of the service'),
			(3, 'network_work of ' || d.code, d.network_work, 'verified work of all nodes whose place is possible'),
			(4, 'pot of ' || d.code, d.pot, format('premium * network_work ^ service_alpha = %s * %s ^ %s', explain_figure(d.premium),
				explain_figure(d.network_work), explain_figure(p.service_alpha))),
			(5, 'quality_work of ' || d.code, d.quality_work, 'sum of quality * work of all nodes: what the pot is divided by'),
			(6, 'rate of ' || d.code, d.rate, CASE WHEN d.rate = 0 THEN 'nothing to share'
				ELSE format('pot / quality_work = %s / %s, for each unit of quality * work', explain_figure(d.pot), explain_figure(d.quality_work)) END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'service_types'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM done d) THEN 'it did no verified work'
				WHEN n.quality = 0 THEN 'its quality is 0'
				WHEN NOT EXISTS (SELECT FROM done d WHERE d.rate > 0) THEN 'the services that it runs have no premium'
				ELSE (SELECT format('quality * sum of work * rate = %s * (%s)', explain_figure(n.quality),
					string_agg(format('%s * %s', explain_figure(d.work), explain_figure(d.rate)), ' + ' ORDER BY d.code)) FROM done d WHERE d.rate > 0) END
		) x
	ORDER BY x.line = 9, x.line > 0, x.code, x.line;
END;

COMMENT ON FUNCTION explain_service_types(epoch_node, policy) IS 'explain_reward step: the score in service_types';

CREATE FUNCTION explain_specialization(n epoch_node, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH tried AS (
		SELECT format('%s for %s', k.code, s.service_type) AS code, k.weight, s.work, s.samples, k.min_samples, k.metric AS metric_name,
			k.bound, k.target, exact_numeric(m.metric) AS metric, m.unit,
			coalesce(round(ramp(m.metric, k.bound::double precision, k.target::double precision)::numeric, 12), 0) AS factor,
			n.trust > 0 AND s.work > 0 AND s.samples >= k.min_samples AND m.metric IS NOT NULL AS applies
		FROM epoch_node_service s
			JOIN specialization k ON k.policy_id = p.policy_id AND (k.service_type = s.service_type OR k.service_type IS NULL),
			LATERAL (SELECT CASE k.metric WHEN 'p50_latency_ms' THEN s.p50_latency_ms WHEN 'p95_latency_ms' THEN s.p95_latency_ms
					WHEN 'p99_latency_ms' THEN s.p99_latency_ms WHEN 'error_rate_upper' THEN s.error_rate_upper
					WHEN 'energy_per_work' THEN (round(s.energy_mwh, 20) / nullif(s.work, 0))::double precision END AS metric,
				CASE WHEN k.metric LIKE '%_ms' THEN 'ms' WHEN k.metric = 'error_rate_upper' THEN '%' ELSE 'mWh' END AS unit) m
		WHERE s.epoch_id = n.epoch_id AND s.node_id = n.node_id
	)
	SELECT 'specialization', NULL, x.term, x.value, x.note
	FROM (SELECT t.code, v.*
		FROM tried t, LATERAL (VALUES
			(1, 'weight of ' || t.code, t.weight, 'score of one unit of work at the target'),
			(2, 'work of ' || t.code, t.work, 'its own verified work'),
			(3, 'samples of ' || t.code, t.samples, 'telemetry rows of the service'),
			(4, 'min_samples of ' || t.code, t.min_samples, 'fewest for the rule to apply'),
			(5, 'metric of ' || t.code, t.metric, t.metric_name),
			(6, 'bound of ' || t.code, t.bound, 'value of the metric that earns nothing'),
			(7, 'target of ' || t.code, t.target, 'value of the metric that earns everything'),
			(8, 'factor of ' || t.code, CASE WHEN t.applies THEN t.factor ELSE 0 END, CASE
				WHEN n.trust = 0 THEN 'its place is impossible, so its work is not verified'
				WHEN t.work = 0 THEN 'it did no verified work'
				WHEN t.samples < t.min_samples THEN format('%s samples are fewer than %s', t.samples, t.min_samples)
				ELSE explain_ramp(t.metric_name, t.unit, t.metric, t.bound, t.target, t.factor, 'factor') END)
			) v (line, term, value, note)
		UNION ALL
		SELECT NULL, 9, 'score', coalesce((SELECT w.score FROM reward w
				WHERE w.epoch_id = n.epoch_id AND w.node_id = n.node_id AND w.component = 'specialization'), 0),
			CASE WHEN NOT EXISTS (SELECT FROM tried t) THEN 'it did no work that a rule of the policy is about'
				WHEN NOT EXISTS (SELECT FROM tried t WHERE t.applies AND t.weight * t.factor > 0) THEN 'no rule of the policy applies to it with more than 0'
				ELSE (SELECT 'sum of weight * work * factor = ' || string_agg(format('%s * %s * %s', explain_figure(t.weight), explain_figure(t.work), explain_figure(t.factor)), ' + ' ORDER BY t.code)
					FROM tried t WHERE t.applies AND t.weight * t.factor > 0) END
		) x
	ORDER BY x.code NULLS LAST, x.line;
END;

COMMENT ON FUNCTION explain_specialization(epoch_node, policy) IS 'explain_reward step: the score in specialization';

CREATE FUNCTION explain_lot(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, part text, released numeric, total_score numeric, provider_id bigint, score numeric, amount numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT q.component, NULL, q.released, q.score, r.provider_id, r.score, r.amount
	FROM epoch_pool q LEFT JOIN reward r ON r.epoch_id = q.epoch_id AND r.component = q.component AND r.node_id = explain_lot.node_id
	WHERE q.epoch_id = explain_lot.epoch_id AND q.component <> 'coverage_gaps'
	UNION ALL
	SELECT q.component, q.part, q.released, q.score, r.provider_id, r.score, r.amount
	FROM epoch_pool_part q LEFT JOIN reward_part r ON r.epoch_id = q.epoch_id AND r.component = q.component AND r.part = q.part AND r.node_id = explain_lot.node_id
	WHERE q.epoch_id = explain_lot.epoch_id;
END;

COMMENT ON FUNCTION explain_lot(bigint, bigint) IS
'what an epoch apportioned, pool by pool and half by half, with one node''s score and amount in it; NULL where it did not score';

CREATE FUNCTION explain_rival(epoch_id bigint)
RETURNS TABLE (component text, part text, node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.component, NULL, r.node_id, r.provider_id, r.score, r.amount
	FROM reward r WHERE r.epoch_id = explain_rival.epoch_id AND r.component <> 'coverage_gaps'
	UNION ALL
	SELECT r.component, r.part, r.node_id, r.provider_id, r.score, r.amount
	FROM reward_part r WHERE r.epoch_id = explain_rival.epoch_id;
END;

COMMENT ON FUNCTION explain_rival(bigint) IS 'all scores and amounts of an epoch, pool by pool and half by half';

CREATE FUNCTION explain_remainder(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, part text, scored bigint, leftover_units numeric, rank bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.component, l.part, count(*), sum(x.remainder) / l.total_score,
		1 + count(*) FILTER (WHERE x.remainder > l.remainder OR (x.remainder = l.remainder AND x.node_id < explain_remainder.node_id))
	FROM (SELECT w.*, mod(w.released * w.score, w.total_score) AS remainder
			FROM explain_lot(explain_remainder.epoch_id, explain_remainder.node_id) w WHERE w.score > 0) l
		JOIN explain_rival(explain_remainder.epoch_id) r ON r.component = l.component AND coalesce(r.part, '') = coalesce(l.part, '')
		CROSS JOIN LATERAL (SELECT r.node_id, mod(l.released * r.score, l.total_score) AS remainder) x
	GROUP BY l.component, l.part, l.total_score;
END;

COMMENT ON FUNCTION explain_remainder(bigint, bigint) IS
'for each pool or half of an epoch without a cap in which a node scored: nodes that scored, base units left over after rounding down, and the rank of the node''s remainder among them';

CREATE FUNCTION explain_capped_remainder(epoch_id bigint, node_id bigint, cap_bps int)
RETURNS TABLE (component text, part text, scored bigint, cap numeric, provider_score numeric, capped_providers bigint, capped_score numeric,
	is_capped boolean, provider_leftover_units numeric, provider_rank bigint, provider_amount numeric, leftover_units numeric, rank bigint)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH lot AS MATERIALIZED (
		SELECT w.*, div(w.released * cap_bps, 10000) AS cap
		FROM explain_lot(explain_capped_remainder.epoch_id, explain_capped_remainder.node_id) w WHERE w.score > 0
	), rival AS MATERIALIZED (
		SELECT l.component, l.part, l.released, l.total_score, l.cap, l.provider_id AS mine, r.provider_id, sum(r.score) AS score, sum(r.amount) AS amount, count(*) AS nodes
		FROM lot l JOIN explain_rival(explain_capped_remainder.epoch_id) r ON r.component = l.component AND coalesce(r.part, '') = coalesce(l.part, '')
		GROUP BY l.component, l.part, l.released, l.total_score, l.cap, l.provider_id, r.provider_id
	), water AS (
		-- The cap is the same for all, so that it is reached from the largest
		-- score down, as long as the quota of what the larger ones leave exceeds it.
		SELECT r.*, (r.released - (row_number() OVER w - 1) * r.cap) * r.score > r.cap * (r.total_score - (sum(r.score) OVER w - r.score)) AS is_capped
		FROM rival r
		WINDOW w AS (PARTITION BY r.component, r.part ORDER BY r.score DESC, r.provider_id ROWS UNBOUNDED PRECEDING)
	), rest AS (
		SELECT t.component, t.part, sum(t.nodes)::bigint AS scored, count(*) FILTER (WHERE t.is_capped) AS capped_providers,
			coalesce(sum(t.score) FILTER (WHERE t.is_capped), 0) AS capped_score,
			t.released - t.cap * count(*) FILTER (WHERE t.is_capped) AS released, t.total_score - coalesce(sum(t.score) FILTER (WHERE t.is_capped), 0) AS total_score
		FROM water t GROUP BY t.component, t.part, t.released, t.cap, t.total_score
	), remainder AS (
		SELECT t.component, t.part, t.provider_id, t.mine, mod(s.released * t.score, s.total_score) AS remainder, s.total_score
		FROM water t JOIN rest s ON s.component = t.component AND coalesce(s.part, '') = coalesce(t.part, '')
		WHERE NOT t.is_capped
	), place AS (
		SELECT a.component, a.part, sum(b.remainder) / a.total_score AS leftover_units,
			1 + count(*) FILTER (WHERE b.remainder > a.remainder OR (b.remainder = a.remainder AND b.provider_id < a.provider_id)) AS rank
		FROM remainder a JOIN remainder b ON b.component = a.component AND coalesce(b.part, '') = coalesce(a.part, '')
		WHERE a.provider_id = a.mine
		GROUP BY a.component, a.part, a.total_score
	), own AS (
		SELECT m.component, m.part, sum(x.remainder) / m.score AS leftover_units,
			1 + count(*) FILTER (WHERE x.remainder > m.remainder OR (x.remainder = m.remainder AND x.node_id < explain_capped_remainder.node_id)) AS rank
		FROM (SELECT l.component, l.part, v.provider_id, v.score, v.amount, mod(v.amount * l.score, v.score) AS remainder
				FROM lot l JOIN rival v ON v.component = l.component AND coalesce(v.part, '') = coalesce(l.part, '') AND v.provider_id = l.provider_id) m
			JOIN explain_rival(explain_capped_remainder.epoch_id) r ON r.component = m.component AND coalesce(r.part, '') = coalesce(m.part, '') AND r.provider_id = m.provider_id
			CROSS JOIN LATERAL (SELECT r.node_id, mod(m.amount * r.score, m.score) AS remainder) x
		GROUP BY m.component, m.part, m.score
	)
	SELECT t.component, t.part, s.scored, t.cap, t.score, s.capped_providers, s.capped_score, t.is_capped,
		c.leftover_units, c.rank, t.amount, o.leftover_units, o.rank
	FROM water t JOIN rest s ON s.component = t.component AND coalesce(s.part, '') = coalesce(t.part, '')
		LEFT JOIN place c ON c.component = t.component AND coalesce(c.part, '') = coalesce(t.part, '')
		JOIN own o ON o.component = t.component AND coalesce(o.part, '') = coalesce(t.part, '')
	WHERE t.provider_id = t.mine;
END;

COMMENT ON FUNCTION explain_capped_remainder(bigint, bigint, int) IS
'the same as explain_remainder under a cap in basis points: first among providers, of which those with the largest scores get the cap, then among the nodes of the one provider';

CREATE FUNCTION explain_pool(e epoch, p policy) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT q.component, NULL, v.term, v.value, v.note
	FROM epoch_pool q JOIN epoch_weight(e.epoch_id) w ON w.code = q.component,
		LATERAL (SELECT coalesce(sum(r.pot), 0) AS growth FROM epoch_resource r WHERE r.epoch_id = e.epoch_id) g,
		LATERAL (VALUES
			(1, 'budget', q.budget, format('%s of the epoch''s budget of %s base units', explain_measure(w.bps / 10000.0, '%'), e.budget)),
			(2, 'carried_in', q.carried_in, CASE WHEN e.previous_epoch_id IS NULL THEN 'there is no epoch before' ELSE format('what the same pool carried out of epoch %s', e.previous_epoch_id) END),
			(3, 'growth', g.growth, 'sum of the pots of all kinds of resource'),
			(4, 'growth_target', p.growth_target, 'growth for which the whole pool is released'),
			(5, 'released', q.released, CASE
				WHEN q.component = 'network_capacity' AND g.growth < p.growth_target THEN format('(budget + carried_in) * growth / growth_target, rounded down: %s', explain_measure(g.growth / p.growth_target, '%', 1))
				ELSE 'budget + carried_in' END)
		) v (line, term, value, note)
	WHERE q.epoch_id = e.epoch_id AND (v.line NOT IN (3, 4) OR q.component = 'network_capacity')
	UNION ALL
	SELECT h.component, h.part, 'released', h.released, format('%s of %s',
		explain_measure(CASE h.part WHEN 'geographic' THEN p.gaps_geographic_bps ELSE 10000 - p.gaps_geographic_bps END / 10000.0, '%'), q.released)
	FROM epoch_pool_part h JOIN epoch_pool q ON q.epoch_id = h.epoch_id AND q.component = h.component
	WHERE h.epoch_id = e.epoch_id;
END;

COMMENT ON FUNCTION explain_pool(epoch, policy) IS 'explain_reward step: what each pool and half of an epoch had to share out';

CREATE FUNCTION explain_share(epoch_id bigint, node_id bigint, cap_bps int) RETURNS SETOF explanation
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH lot AS (
		SELECT * FROM explain_lot(explain_share.epoch_id, explain_share.node_id)
	), free AS (
		SELECT * FROM explain_remainder(explain_share.epoch_id, explain_share.node_id) WHERE cap_bps IS NULL
	), capped AS (
		SELECT * FROM explain_capped_remainder(explain_share.epoch_id, explain_share.node_id, cap_bps) WHERE cap_bps IS NOT NULL
	)
	SELECT x.component, x.part, x.term, x.value, x.note
	FROM (
		SELECT l.component, l.part, 1 AS line, 'total_score' AS term, l.total_score AS value,
			CASE WHEN l.total_score = 0 THEN 'no node scored'
				WHEN s.scored IS NULL THEN 'sum of the scores of all nodes' ELSE format('sum of the scores of all nodes; %s scored', s.scored) END AS note
		FROM lot l LEFT JOIN (SELECT f.component, f.part, f.scored FROM free f UNION ALL SELECT c.component, c.part, c.scored FROM capped c) s
			ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, '')
		UNION ALL
		SELECT l.component, l.part, v.*
		FROM lot l JOIN free s ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, ''),
			LATERAL (VALUES
				(2, 'quota', explain_quotient(l.released * l.score, l.total_score), format('released * score / total_score, cut to twelve decimals; each unit of score is worth %s base units',
					explain_figure(l.released / l.total_score))),
				(3, 'leftover_units', s.leftover_units, 'base units that remain when all quotas are rounded down; the largest remainders get one each'),
				(4, 'rank', s.rank, format('of its remainder among %s, the largest first', s.scored)),
				(5, 'amount', l.amount, CASE WHEN l.released = 0 THEN 'the pool had nothing to share out'
					WHEN s.rank <= s.leftover_units THEN 'quota rounded down, and one of the leftover units' ELSE 'quota rounded down' END)
			) v (line, term, value, note)
		UNION ALL
		SELECT l.component, l.part, v.*
		FROM lot l JOIN capped s ON s.component = l.component AND coalesce(s.part, '') = coalesce(l.part, ''),
			LATERAL (SELECT l.released - s.cap * s.capped_providers AS released, l.total_score - s.capped_score AS total) r,
			LATERAL (VALUES
				(2, 'provider_score', s.provider_score, format('sum of the scores of provider %s''s nodes', l.provider_id)),
				(3, 'cap', s.cap, format('%s of released, rounded down: the most that a provider may take', explain_measure(cap_bps / 10000.0, '%'))),
				(4, 'capped_providers', s.capped_providers, 'providers whose quota exceeds the cap; what they may not take goes to the others'),
				(5, 'capped_score', s.capped_score, 'sum of their scores'),
				(6, 'provider_quota', CASE WHEN NOT s.is_capped THEN explain_quotient(r.released * s.provider_score, r.total) END,
					CASE WHEN s.is_capped THEN 'exceeds the cap' ELSE '(released - capped_providers * cap) * provider_score / (total_score - capped_score), cut to twelve decimals' END),
				(7, 'provider_leftover_units', s.provider_leftover_units, 'base units that remain when the quotas of these providers are rounded down'),
				(8, 'provider_rank', s.provider_rank, 'of the provider''s remainder, the largest first'),
				(9, 'provider_amount', s.provider_amount, CASE WHEN s.is_capped THEN 'the cap'
					WHEN s.provider_rank <= s.provider_leftover_units THEN 'provider_quota rounded down, and one of the leftover units' ELSE 'provider_quota rounded down' END),
				(10, 'quota', explain_quotient(s.provider_amount * l.score, s.provider_score),
					'provider_amount * score / provider_score, cut to twelve decimals'),
				(11, 'leftover_units', s.leftover_units, 'base units that remain when the quotas of the provider''s nodes are rounded down; the largest remainders get one each'),
				(12, 'rank', s.rank, 'of the node''s remainder, the largest first'),
				(13, 'amount', l.amount, CASE WHEN l.released = 0 THEN 'the pool had nothing to share out'
					WHEN s.rank <= s.leftover_units THEN 'quota rounded down, and one of the leftover units' ELSE 'quota rounded down' END)
			) v (line, term, value, note)
		WHERE NOT (s.is_capped AND v.line IN (7, 8))
		UNION ALL
		SELECT l.component, l.part, 14, 'amount', 0, 'its score is 0'
		FROM lot l WHERE l.score IS NULL
	) x
	ORDER BY x.line;
END;

COMMENT ON FUNCTION explain_share(bigint, bigint, int) IS
'explain_reward step: from a node''s score to its amount in each pool and half, by largest remainders, with a cap in basis points (NULL: none) first among providers';

CREATE FUNCTION explain_reward(epoch_id bigint, node_id bigint)
RETURNS TABLE (component text, term text, value numeric, note text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	n epoch_node;
	p policy;
BEGIN
	e := computed_epoch($1);
	SELECT * INTO n FROM epoch_node WHERE epoch_node.epoch_id = $1 AND epoch_node.node_id = $2;
	IF NOT FOUND THEN
		IF EXISTS (SELECT FROM node WHERE node.node_id = $2) THEN
			RAISE EXCEPTION 'node % took no part in epoch %', $2, $1
				USING ERRCODE = 'no_data_found', DETAIL = format('The epoch is %s.', e.period),
					HINT = 'Pending and suspended nodes take no part, nor do others before joined_at and from left_at on.';
		END IF;
		PERFORM unknown_id('node', $2);
	END IF;
	SELECT * INTO STRICT p FROM policy WHERE policy.policy_id = e.policy_id;

	RETURN QUERY
	SELECT x.component, concat_ws(' ', x.part, x.term), trim_scale(x.value), x.note
	FROM (
		SELECT 1 AS section, l.* FROM explain_quality(n, p) WITH ORDINALITY l (component, part, term, value, note, line)
		UNION ALL SELECT 2, l.* FROM explain_contribution(n) WITH ORDINALITY l
		UNION ALL SELECT 3, l.* FROM explain_pool(e, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_new_regions(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_gap_geographic(n, e, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_gap_resource(n) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_resource_types(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_network_capacity(n) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_service_types(n, p) WITH ORDINALITY l
		UNION ALL SELECT 4, l.* FROM explain_specialization(n, p) WITH ORDINALITY l
		UNION ALL SELECT 5, l.* FROM explain_share($1, $2, p.provider_cap_bps) WITH ORDINALITY l
		UNION ALL SELECT 6, 'coverage_gaps', NULL, 'amount', coalesce((SELECT sum(r.amount) FROM reward r
			WHERE r.epoch_id = $1 AND r.node_id = $2 AND r.component = 'coverage_gaps'), 0), 'geographic amount + resource amount', 1
		UNION ALL SELECT 7, 'total', NULL, 'amount', coalesce((SELECT sum(r.amount) FROM reward r
			WHERE r.epoch_id = $1 AND r.node_id = $2), 0), format('sum of the six amounts, base units, earned by provider %s', n.provider_id), 1
	) x LEFT JOIN component c ON c.code = x.component
	ORDER BY coalesce(c.position, x.section / 7 * 100), x.section = 6, x.part NULLS FIRST, x.section, x.line;
END $$;

COMMENT ON FUNCTION explain_reward(bigint, bigint) IS
'why a node earned what it did in a computed or final epoch, from telemetry to amount, out of the rows frozen then. One row per term, in order: first quality (telemetry and round-trip times to quality) and contribution (units to contribution), then each component from the budget of its pool over every factor of the score and the total that it was divided by to the amount in base units, then the total. value is exact, note says what it is, the formula with (rounded) numbers in it, and what would have raised it. In coverage_gaps the terms of the halves begin with geographic or resource; terms about a kind of resource, a service or a rule end with its code. The values of an explanation alone give every amount again. Errors: no such epoch, epoch not computed, no such node, node took no part. Cost: linear in the rewards of the epoch, whose remainders are ranked';

CREATE TYPE scenario_node AS (
	epoch_id bigint, node_id bigint, provider_id bigint, hardware_id code, location geography(Point,4326), service_radius_m double precision,
	region code, age int, trust double precision, quality numeric, contribution numeric);

COMMENT ON TYPE scenario_node IS 'what the engine reads of a row of epoch_node';

CREATE TYPE scenario_resource AS (
	epoch_id bigint, node_id bigint, resource_type code, units numeric, opening_mark numeric);

COMMENT ON TYPE scenario_resource IS 'what the engine reads of a row of epoch_node_resource';

CREATE TYPE scenario_service AS (
	epoch_id bigint, node_id bigint, service_type code, work numeric, energy_mwh numeric, samples bigint,
	p50_latency_ms double precision, p95_latency_ms double precision, p99_latency_ms double precision, error_rate_upper double precision);

COMMENT ON TYPE scenario_service IS 'what the engine reads of a row of epoch_node_service';

CREATE TYPE scenario_rating AS (node_id bigint, trust double precision, quality numeric);

COMMENT ON TYPE scenario_rating IS 'what a node is worth in the eyes of another policy';

CREATE TYPE scenario_error_rate AS (node_id bigint, service_type code, error_rate_upper double precision);

COMMENT ON TYPE scenario_error_rate IS 'the error rate of a node in a service at the confidence of another policy';

CREATE TYPE scenario AS (
	epoch epoch,
	policy policy,
	rating scenario_rating[],
	error_rate scenario_error_rate[],
	node scenario_node[],
	node_resource scenario_resource[],
	node_service scenario_service[],
	region epoch_region[],
	region_resource epoch_region_resource[],
	resource epoch_resource[],
	service epoch_service[]
);

COMMENT ON TYPE scenario IS
'an epoch as it would be: its row with its fields and its policy; ratings of all its nodes and error rates of all their services (NULL: as frozen); nodes, resources and services that come on top of the frozen ones; and what follows for regions, kinds of resource and services';

CREATE FUNCTION nodes_of(scenario scenario) RETURNS SETOF scenario_node
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT n.epoch_id, n.node_id, n.provider_id, n.hardware_id, n.location, n.service_radius_m, n.region, n.age,
		CASE WHEN (scenario).rating IS NULL THEN n.trust ELSE q.trust END, CASE WHEN (scenario).rating IS NULL THEN n.quality ELSE q.quality END,
		CASE WHEN (scenario).rating IS NULL THEN n.contribution ELSE q.quality * n.value END
	FROM epoch_node n LEFT JOIN unnest((scenario).rating) q ON q.node_id = n.node_id
	WHERE n.epoch_id = ((scenario).epoch).epoch_id
	UNION ALL
	SELECT m.* FROM unnest((scenario).node) m;
END;

COMMENT ON FUNCTION nodes_of(scenario) IS 'frozen nodes, with the ratings of a scenario, and those on top';

CREATE FUNCTION node_resources_of(scenario scenario) RETURNS SETOF scenario_resource
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.epoch_id, r.node_id, r.resource_type, r.units, r.opening_mark
	FROM epoch_node_resource r WHERE r.epoch_id = ((scenario).epoch).epoch_id
	UNION ALL
	SELECT m.* FROM unnest((scenario).node_resource) m;
END;

COMMENT ON FUNCTION node_resources_of(scenario) IS 'frozen resources of nodes, and those on top';

CREATE FUNCTION node_services_of(scenario scenario) RETURNS SETOF scenario_service
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.epoch_id, s.node_id, s.service_type, s.work, s.energy_mwh, s.samples, s.p50_latency_ms, s.p95_latency_ms, s.p99_latency_ms,
		CASE WHEN (scenario).error_rate IS NULL THEN s.error_rate_upper ELSE f.error_rate_upper END
	FROM epoch_node_service s LEFT JOIN unnest((scenario).error_rate) f ON f.node_id = s.node_id AND f.service_type = s.service_type
	WHERE s.epoch_id = ((scenario).epoch).epoch_id
	UNION ALL
	SELECT m.* FROM unnest((scenario).node_service) m;
END;

COMMENT ON FUNCTION node_services_of(scenario) IS 'frozen services of nodes, with the error rates of a scenario, and those on top';

CREATE FUNCTION derive_scenario_function(original regprocedure) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	f pg_proc;
	body text;
	twin text;
	source text[];
	name text;
BEGIN
	SELECT * INTO f FROM pg_proc p WHERE p.oid = original;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no function % to derive a twin from', coalesce(original::text, 'NULL')
			USING ERRCODE = 'undefined_function';
	END IF;
	body := coalesce(regexp_replace(pg_get_function_sqlbody(original), '^\s*BEGIN ATOMIC\s*(.*?);?\s*END\s*$', '\1'), f.prosrc);
	FOREACH source SLICE 1 IN ARRAY ARRAY[
		['epoch', 'unnest(ARRAY[(scenario).epoch])'], ['policy', 'unnest(ARRAY[(scenario).policy])'],
		['epoch_node', 'nodes_of(scenario)'], ['epoch_node_resource', 'node_resources_of(scenario)'], ['epoch_node_service', 'node_services_of(scenario)'],
		['epoch_mark', 'marks_of(scenario)'],
		['epoch_region', 'unnest((scenario).region)'], ['epoch_region_resource', 'unnest((scenario).region_resource)'],
		['epoch_resource', 'unnest((scenario).resource)'], ['epoch_service', 'unnest((scenario).service)']]
	LOOP
		-- FROM or JOIN, or a comma before a table with an alias; without one the name of the table is the alias
		body := regexp_replace(body, '(\m(?:FROM|JOIN)\s+\(*)' || source[1] || '(?=\s+(?:WHERE|JOIN|LEFT|ON|USING|GROUP|ORDER)\M|\s*[;)]|\s*$)', '\1' || source[2] || ' ' || source[1], 'g');
		body := regexp_replace(body, '(\m(?:FROM|JOIN)\s+\(*|,\s+\(*)' || source[1] || '(?=\s+[a-z]\w*)', '\1' || source[2], 'g');
	END LOOP;
	FOR name IN SELECT DISTINCT p.proname FROM pg_proc p WHERE p.pronamespace = f.pronamespace AND p.proargnames @> '{epoch_id,scenario}' LOOP
		body := regexp_replace(body, '(\m' || name || '\([^()]*)\)', '\1, scenario)', 'g');
	END LOOP;
	SELECT m[1] INTO name FROM regexp_matches(body, '\m(\w+)\(([^()]*)\)', 'g') m
	WHERE m[2] !~ ', scenario$' AND EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = f.pronamespace AND p.proname = m[1] AND 'epoch_id' = ANY (p.proargnames));
	IF FOUND THEN
		RAISE EXCEPTION 'function % calls %, which has no twin for scenarios', original, name
			USING ERRCODE = 'feature_not_supported', HINT = 'Derive that one first.';
	END IF;
	SELECT c.relname INTO name FROM pg_class c
	WHERE c.relnamespace = f.pronamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname NOT IN ('component', 'specialization', 'epoch_pool')
		AND body ~ ('(\m(FROM|JOIN)\s+\(*|,\s+\(*)' || c.relname || '\s+[a-zA-Z]');
	IF FOUND THEN
		RAISE EXCEPTION 'function % reads table % in a way that cannot be turned to a scenario', original, name
			USING ERRCODE = 'feature_not_supported', HINT = 'In FROM, give it an alias.';
	END IF;
	twin := format('%I(%s)', f.proname, concat_ws(', ', nullif(array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(f.proargtypes) t), ', '), ''), 'scenario'));
	EXECUTE format('CREATE OR REPLACE FUNCTION %I(%s, scenario scenario) RETURNS %s LANGUAGE %s STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off SET join_collapse_limit = 1 AS %L',
		f.proname, pg_get_function_identity_arguments(original), pg_get_function_result(original), (SELECT l.lanname FROM pg_language l WHERE l.oid = f.prolang), body);
	EXECUTE format('COMMENT ON FUNCTION %s IS %L', twin, format('the same as %s over the rows of a scenario; derived from it', original));
END $$;
COMMENT ON FUNCTION derive_scenario_function(regprocedure) IS
'run while the extension is installed or updated, after a function of the engine has been created or replaced: makes its twin that reads a scenario. Errors: there is no such function, it reads a table that a scenario does not have, or calls a function about an epoch that has no twin';

SELECT derive_scenario_function('epoch_owner(bigint)');

CREATE FUNCTION marks_of(scenario scenario) RETURNS SETOF epoch_mark
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	SELECT ((scenario).epoch).epoch_id, o.resource_type, o.hardware_id, o.provider_id, o.units
	FROM epoch_owner(((scenario).epoch).epoch_id, scenario) o WHERE o.units > o.opening_mark
$$;
COMMENT ON FUNCTION marks_of(scenario) IS 'the high-water marks of owners that a scenario raises';

DO $$
DECLARE
	original regprocedure;
BEGIN
	-- each after those that it calls
	FOREACH original IN ARRAY ARRAY['supply_field(bigint, int)', 'epoch_capacity(bigint)', 'epoch_region_supply(bigint)',
		'epoch_work(bigint)', 'epoch_weight(bigint)', 'epoch_score(bigint, text, text)', 'epoch_share(bigint, text, text, numeric)',
		'epoch_release(bigint)', 'epoch_release_part(bigint, text, numeric)']::regprocedure[]
	LOOP
		PERFORM derive_scenario_function(original);
	END LOOP;
END $$;


CREATE FUNCTION scenario_market(scenario scenario) RETURNS scenario
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	s scenario := scenario;
	e epoch := s.epoch;
	p policy := s.policy;
	regional epoch_region_resource;
	regionals epoch_region_resource[] := '{}';
	kind epoch_resource;
	kinds epoch_resource[] := '{}';
	service epoch_service;
	services epoch_service[] := '{}';
	x record;
BEGIN
	FOR x IN
		SELECT r AS frozen, t.unit_value, coalesce(c.supply, 0) AS supply, coalesce(o.supply, 0) AS opening_supply
		FROM epoch_region_resource r JOIN epoch_resource t ON t.epoch_id = r.epoch_id AND t.resource_type = r.resource_type
			LEFT JOIN epoch_region_supply(e.epoch_id, s) c ON c.region = r.region AND c.resource_type = r.resource_type
			LEFT JOIN opening_region_supply(e.previous_epoch_id, p.memory_epochs) o ON o.region = r.region AND o.resource_type = r.resource_type
		WHERE r.epoch_id = e.epoch_id
	LOOP
		regional := x.frozen;
		regional.supply := x.supply;
		regional.opening_supply := x.opening_supply;
		regional.rate := gap_rate(x.unit_value, regional.demand, regional.opening_supply, regional.supply);
		regionals := regionals || regional;
	END LOOP;
	FOR x IN
		SELECT r AS frozen, coalesce(c.supply, 0) AS supply, coalesce(c.growth, 0) AS growth
		FROM epoch_resource r LEFT JOIN epoch_capacity(e.epoch_id, s) c ON c.resource_type = r.resource_type
		WHERE r.epoch_id = e.epoch_id
	LOOP
		kind := x.frozen;
		kind.supply := x.supply;
		kind.growth := x.growth;
		kind.price := next_price(kind.previous_price, kind.demand, kind.supply, p.price_elasticity, p.price_step, p.price_min, p.price_max);
		kind.pot := capacity_pot(kind.unit_value, kind.supply, kind.opening_mark, kind.need);
		kinds := kinds || kind;
	END LOOP;
	FOR x IN
		SELECT r AS frozen, coalesce(c.work, 0) AS work, coalesce(c.quality_work, 0) AS quality_work
		FROM epoch_service r LEFT JOIN epoch_work(e.epoch_id, s) c ON c.service_type = r.service_type
		WHERE r.epoch_id = e.epoch_id
	LOOP
		service := x.frozen;
		service.work := x.work;
		service.quality_work := x.quality_work;
		service.pot := service_pot(service.premium, service.work, p.service_alpha);
		services := services || service;
	END LOOP;
	s.region_resource := regionals;
	s.resource := kinds;
	s.service := services;
	e.closing_supply := supply_field(e.epoch_id, p.grid_order, s);
	s.epoch := e;
	RETURN s;
END $$;

COMMENT ON FUNCTION scenario_market(scenario) IS
'a scenario with the closing supply field and the rows of regions'' resources, kinds of resource and services that follow from its nodes and its policy';

CREATE FUNCTION scenario_reward(scenario scenario)
RETURNS TABLE (component text, part text, released numeric, node_id bigint, provider_id bigint, score numeric, amount numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	s scenario := scenario;
	e epoch := s.epoch;
	lot record;
BEGIN
	FOR lot IN
		SELECT r.component, h.part, coalesce(h.released, r.released) AS released
		FROM epoch_release(e.epoch_id, s) r LEFT JOIN LATERAL epoch_release_part(e.epoch_id, r.component, r.released, s) h ON true
	LOOP
		RETURN QUERY
		SELECT lot.component, lot.part, lot.released, x.node_id, x.provider_id, x.score, x.amount
		FROM epoch_share(e.epoch_id, lot.component, lot.part, lot.released, s) x;
	END LOOP;
END $$;

COMMENT ON FUNCTION scenario_reward(scenario) IS
'what a scenario, complete with scenario_market, pays each node that scores, component by component and for coverage_gaps half by half, base units; released is what there was to apportion';

CREATE FUNCTION region_of(location geography) RETURNS code
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.code FROM region r WHERE ST_Covers(r.boundary, geog_checked_point(location)) ORDER BY region_area(r.boundary), r.code LIMIT 1;
END;

COMMENT ON FUNCTION region_of(geography) IS
'the region that a node at a place belongs to: the smallest that covers it, ties by code; NULL if none does, or for NULL; anything but a point with SRID 4326 is an error';

CREATE FUNCTION simulate_number(what text, value jsonb, most numeric, whole boolean DEFAULT false) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
	x numeric;
BEGIN
	IF jsonb_typeof(value) IS DISTINCT FROM 'number' THEN
		RAISE EXCEPTION '% is not a number: %', what, coalesce(left(value::text, 100), 'missing') USING ERRCODE = 'invalid_parameter_value';
	END IF;
	x := value::text::numeric;
	IF x < 0 OR x > most OR (whole AND x <> trunc(x)) THEN
		RAISE EXCEPTION '% is %, not a % from 0 to %', what, left(value::text, 100), CASE WHEN whole THEN 'whole number' ELSE 'number' END, most
			USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	RETURN x;
END $$;

COMMENT ON FUNCTION simulate_number(text, jsonb, numeric, boolean) IS
'the number that a JSON value is, for simulate_node. Errors: missing or not a number, below 0, above most, not whole where it must be';

CREATE FUNCTION simulate_check(what text, value jsonb, known text[], example text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
	bad text;
BEGIN
	IF jsonb_typeof(value) <> 'object' THEN
		RAISE EXCEPTION '% is not a JSON object: %', what, left(value::text, 100)
			USING ERRCODE = 'invalid_parameter_value', HINT = format('Write it like %s.', example);
	END IF;
	SELECT k INTO bad FROM jsonb_object_keys(value) k WHERE k <> ALL (known) ORDER BY k COLLATE "C" LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'unknown key % in %', quote_literal(left(bad, 100)), what
			USING ERRCODE = 'invalid_parameter_value',
				HINT = CASE WHEN cardinality(known) > 0 THEN format('Known are %s.', array_to_string(known, ', ')) ELSE 'The epoch knew none at all.' END;
	END IF;
END $$;

COMMENT ON FUNCTION simulate_check(text, jsonb, text[], text) IS
'refuses a JSON value that is no object or has other keys than the known ones, for simulate_node';

CREATE FUNCTION simulate_resources(resources jsonb, e epoch, n scenario_node) RETURNS SETOF scenario_resource
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	held scenario_resource;
	item record;
BEGIN
	PERFORM simulate_check('resources', resources, ARRAY(SELECT t.resource_type::text FROM epoch_resource t WHERE t.epoch_id = e.epoch_id ORDER BY 1), '{"gpu": 8, "storage": 100}');
	held.epoch_id := n.epoch_id;
	held.node_id := n.node_id;
	FOR item IN SELECT x.key, x.value FROM jsonb_each(resources) x LOOP
		held.resource_type := item.key;
		-- as many decimals as node_resource has
		held.units := simulate_number('resources.' || item.key, item.value, 999999999999999)::numeric(24,9);
		held.opening_mark := coalesce((SELECT max(k.units) FROM epoch_mark k JOIN epoch g ON g.epoch_id = k.epoch_id
			WHERE g.epoch_no < e.epoch_no AND k.resource_type = item.key
				AND (k.hardware_id = n.hardware_id OR (n.hardware_id IS NULL AND k.provider_id = n.provider_id))), 0);
		RETURN NEXT held;
	END LOOP;
END $$;

COMMENT ON FUNCTION simulate_resources(jsonb, epoch, scenario_node) IS
'simulate_node step: the resources of the node, through the whole epoch, with the high-water marks that its owner had before';

CREATE FUNCTION simulate_services(services jsonb, e epoch, n scenario_node) RETURNS SETOF scenario_service
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	done scenario_service;
	item record;
	most constant numeric := 99999999999999999999999999999999999999;
BEGIN
	PERFORM simulate_check('services', services, ARRAY(SELECT t.service_type::text FROM epoch_service t WHERE t.epoch_id = e.epoch_id ORDER BY 1),
		'{"inference": 5000} or {"inference": {"work": 5000, "p95_latency_ms": 40}}');
	done.epoch_id := n.epoch_id;
	done.node_id := n.node_id;
	FOR item IN
		SELECT x.key, 'services.' || x.key AS name, CASE jsonb_typeof(x.value) WHEN 'number' THEN jsonb_build_object('work', x.value) ELSE x.value END AS value
		FROM jsonb_each(services) x
	LOOP
		PERFORM simulate_check(item.name, item.value, ARRAY['work', 'samples', 'energy_mwh', 'p50_latency_ms', 'p95_latency_ms', 'p99_latency_ms', 'error_rate_upper'],
			'{"work": 5000, "p95_latency_ms": 40}');
		done.service_type := item.key;
		done.work := simulate_number(item.name || '.work', item.value->'work', most, true);
		done.samples := CASE WHEN item.value ? 'samples' THEN simulate_number(item.name || '.samples', item.value->'samples', 9223372036854775807, true) ELSE 9223372036854775807 END;
		done.energy_mwh := CASE WHEN item.value ? 'energy_mwh' THEN simulate_number(item.name || '.energy_mwh', item.value->'energy_mwh', most, true) END;
		done.p50_latency_ms := CASE WHEN item.value ? 'p50_latency_ms' THEN simulate_number(item.name || '.p50_latency_ms', item.value->'p50_latency_ms', 1e300) END;
		done.p95_latency_ms := CASE WHEN item.value ? 'p95_latency_ms' THEN simulate_number(item.name || '.p95_latency_ms', item.value->'p95_latency_ms', 1e300) END;
		done.p99_latency_ms := CASE WHEN item.value ? 'p99_latency_ms' THEN simulate_number(item.name || '.p99_latency_ms', item.value->'p99_latency_ms', 1e300) END;
		done.error_rate_upper := CASE WHEN item.value ? 'error_rate_upper' THEN simulate_number(item.name || '.error_rate_upper', item.value->'error_rate_upper', 1) END;
		RETURN NEXT done;
	END LOOP;
END $$;

COMMENT ON FUNCTION simulate_services(jsonb, epoch, scenario_node) IS 'simulate_node step: the work of the node';

CREATE FUNCTION simulate_place(location geography, radius_m double precision, quality numeric, provider_id bigint, hardware_id text, e epoch) RETURNS scenario_node
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	n scenario_node;
	taken bigint;
BEGIN
	n.location := $1;
	IF NOT is_location(n.location) THEN
		RAISE EXCEPTION 'location % is not a place on Earth', ST_AsText($1)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a point with a longitude from -180 to 180 and a latitude from -90 to 90.';
	END IF;
	IF NOT ($2 > 0 AND $2 <= 5000000) THEN
		RAISE EXCEPTION 'radius_m is %, not above 0 and at most 5000000', $2
			USING ERRCODE = 'numeric_value_out_of_range', HINT = 'service_radius() makes a radius of a round-trip time.';
	END IF;
	IF NOT $3 BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION 'quality is %, not from 0 to 1', $3 USING ERRCODE = 'numeric_value_out_of_range';
	END IF;
	IF $4 IS NOT NULL AND NOT EXISTS (SELECT FROM provider m WHERE m.provider_id = $4) THEN
		RAISE EXCEPTION 'provider % does not exist', $4 USING ERRCODE = 'no_data_found', HINT = 'Leave provider_id out for a new provider.';
	END IF;
	SELECT m.node_id INTO taken FROM epoch_node m WHERE m.epoch_id = e.epoch_id AND m.hardware_id = $5 LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'hardware % was node % in epoch %', $5, taken, e.epoch_id
			USING ERRCODE = 'unique_violation', HINT = 'Name hardware that took no part in the epoch, or none.';
	END IF;
	n.epoch_id := e.epoch_id;
	n.node_id := coalesce((SELECT max(m.node_id) FROM epoch_node m WHERE m.epoch_id = e.epoch_id), 0) + 1;
	n.provider_id := coalesce($4, (SELECT max(m.provider_id) FROM provider m) + 1, 1);
	n.hardware_id := $5;
	n.service_radius_m := $2;
	n.region := region_of(n.location);
	IF n.region IS NOT NULL AND NOT EXISTS (SELECT FROM epoch_region r JOIN region g ON g.code = r.region
			WHERE r.epoch_id = e.epoch_id AND r.region = n.region AND r.boundary_digest = sha256(ST_AsBinary(g.boundary))) THEN
		RAISE EXCEPTION 'region % is not what it was in epoch %', n.region, e.epoch_id
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'It is new or has another boundary. Ask again when an epoch has been computed with it.';
	END IF;
	n.age := e.epoch_no - coalesce((SELECT min(g.epoch_no) FROM epoch_first f JOIN epoch g ON g.epoch_id = f.epoch_id
		WHERE g.epoch_no < e.epoch_no AND f.region = n.region AND (f.provider_id = n.provider_id OR f.hardware_id = n.hardware_id)), e.epoch_no);
	n.trust := 1;
	n.quality := round($3, 12);
	RETURN n;
END $$;

COMMENT ON FUNCTION simulate_place(geography, double precision, numeric, bigint, text, epoch) IS
'simulate_node step: the node itself, with its region, and its age there';

CREATE FUNCTION simulate_note(component text, s scenario, n scenario_node) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	p policy := s.policy;
	r epoch_region;
BEGIN
	SELECT * INTO r FROM unnest(s.region) g WHERE g.region = n.region;
	RETURN CASE component
		WHEN 'new_regions' THEN CASE
			WHEN n.region IS NULL THEN 'no region covers the place'
			WHEN n.age >= p.freshness_epochs THEN format('not new in region %s: %s epochs', n.region, n.age)
			ELSE format('region %s has multiplier %s; freshness there %s', n.region, explain_figure(r.multiplier, 1), explain_figure(freshness(n.age, p.freshness_epochs))) END
		WHEN 'resource_types' THEN coalesce('prices: ' || (SELECT string_agg(format('%s %s', k.resource_type, explain_figure(k.price, 1)), ', ' ORDER BY k.resource_type)
			FROM unnest(s.resource) k JOIN unnest(s.node_resource) h ON h.resource_type = k.resource_type), 'no resource was assumed')
		WHEN 'network_capacity' THEN coalesce('growth that is wanted: ' || (SELECT string_agg(format('%s %s', k.resource_type,
				explain_figure(least(greatest(0, k.supply - k.opening_mark), k.need))), ', ' ORDER BY k.resource_type)
			FROM unnest(s.resource) k JOIN unnest(s.node_resource) h ON h.resource_type = k.resource_type), 'no resource was assumed')
		WHEN 'service_types' THEN coalesce('its work: ' || (SELECT string_agg(format('%s %s', d.service_type, d.work), ', ' ORDER BY d.service_type) FROM unnest(s.node_service) d), 'no work was assumed')
		WHEN 'specialization' THEN CASE WHEN cardinality(s.node_service) = 0 THEN 'no work was assumed' ELSE 'by what was assumed of its work' END END;
END $$;

COMMENT ON FUNCTION simulate_note(text, scenario, scenario_node) IS 'simulate_node step: a few words on a component';

CREATE FUNCTION simulate_node(location geography, radius_m double precision, resources jsonb, quality numeric DEFAULT 1,
	services jsonb DEFAULT '{}', provider_id bigint DEFAULT NULL, hardware_id text DEFAULT NULL, epoch_id bigint DEFAULT NULL)
RETURNS TABLE (component text, amount numeric, score numeric, note text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	s scenario;
	e epoch;
	n scenario_node;
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL OR $4 IS NULL OR $5 IS NULL THEN
		RAISE EXCEPTION '% must not be NULL', CASE WHEN $1 IS NULL THEN 'location' WHEN $2 IS NULL THEN 'radius_m' WHEN $3 IS NULL THEN 'resources'
			WHEN $4 IS NULL THEN 'quality' ELSE 'services' END USING ERRCODE = 'null_value_not_allowed';
	END IF;
	IF $8 IS NULL THEN
		SELECT * INTO e FROM epoch WHERE epoch.status IN ('computed', 'final') ORDER BY epoch.period DESC LIMIT 1;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'no epoch has been computed' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CALL swarm_reward.run_epoch first.';
		END IF;
	ELSE
		e := computed_epoch($8);
	END IF;
	n := simulate_place($1, $2, $4, $6, $7, e);
	s.epoch := e;
	SELECT p INTO STRICT s.policy FROM policy p WHERE p.policy_id = e.policy_id;
	s.node_resource := ARRAY(SELECT x FROM simulate_resources($3, e, n) x);
	s.node_service := ARRAY(SELECT x FROM simulate_services($5, e, n) x);
	n.contribution := n.quality * (SELECT coalesce(sum(t.unit_value * h.units), 0) FROM unnest(s.node_resource) h
		JOIN epoch_resource t ON t.epoch_id = e.epoch_id AND t.resource_type = h.resource_type);
	s.node := ARRAY[n];
	s.region := ARRAY(SELECT r FROM epoch_region r WHERE r.epoch_id = e.epoch_id);
	s := scenario_market(s);

	RETURN QUERY
	WITH paid AS MATERIALIZED (
		SELECT x.* FROM scenario_reward(s) x WHERE x.node_id = n.node_id OR x.provider_id = n.provider_id
	), mine AS (
		SELECT x.component, sum(x.amount) AS amount, sum(x.score) AS score,
			coalesce(sum(x.amount) FILTER (WHERE x.part = 'geographic'), 0) AS geographic, coalesce(sum(x.amount) FILTER (WHERE x.part = 'resource'), 0) AS resource
		FROM paid x WHERE x.node_id = n.node_id GROUP BY x.component
	), others AS (
		SELECT coalesce(sum(x.amount), 0) AS amount FROM paid x WHERE x.node_id <> n.node_id
	), line AS (
		SELECT c.position, c.code::text AS component, coalesce(m.amount, 0) AS amount, coalesce(m.score, 0) AS score,
			CASE c.code WHEN 'coverage_gaps' THEN format('%s for demand in its reach that was not served, %s for resources that its region lacked', coalesce(m.geographic, 0), coalesce(m.resource, 0))
				ELSE simulate_note(c.code, s, n) END AS note
		FROM component c LEFT JOIN mine m ON m.component = c.code
		UNION ALL
		SELECT 100, 'total', coalesce((SELECT sum(m.amount) FROM mine m), 0), NULL,
			format('in epoch %s, %s, all of it, with quality %s and contribution %s', e.epoch_id, e.period, explain_figure(n.quality, 1), explain_figure(n.contribution))
			|| CASE WHEN $6 IS NULL THEN ', by a new provider' ELSE format('; the other nodes of provider %s would have earned %s instead of %s', $6, (SELECT o.amount FROM others o),
				(SELECT coalesce(sum(w.amount), 0) FROM reward w WHERE w.epoch_id = e.epoch_id AND w.provider_id = $6)) END
	)
	SELECT l.component, l.amount, trim_scale(l.score), l.note FROM line l ORDER BY l.position;
END $$;

COMMENT ON FUNCTION simulate_node(geography, double precision, jsonb, numeric, jsonb, bigint, text, bigint) IS
'what one more node would have earned in an epoch, by component and in total, base units: exactly what a real one would, had it been there; nothing is written. location and radius_m (0 to 5 000 000 m, see service_radius()) as in node; resources: units by kind, for example {"gpu": 8}, through the whole epoch. Assumed unless said otherwise: quality 1 (uptime, response times, error rate and place all as wanted); no work (services: {"inference": 5000}, or {"inference": {"work": 5000, "samples": …, "energy_mwh": …, "p50_latency_ms": …, "p95_latency_ms": …, "p99_latency_ms": …, "error_rate_upper": …}}, where samples are plenty unless given and a metric that is not given earns nothing); a new provider, whose age in the region and high-water marks are 0 (provider_id: those of a provider); no attested hardware (hardware_id: its own age and marks); the last computed epoch (epoch_id: another). The others of the network share with it: supply, prices, growth and caps are computed with it. Regions are those of today. Leftover base units of equal remainders go to nodes with lower keys. Errors: NULL, a place, radius, quality, resource or service that could not be, hardware or provider that contradict the tables, no computed epoch, a region that has changed since';

CREATE FUNCTION preview_measure(e epoch, p policy)
RETURNS TABLE (node_id bigint, service_type code, uptime double precision, response_ms double precision, error_rate_upper double precision,
	samples bigint, errors bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH member AS MATERIALIZED (
		SELECT n.node_id, n.provider_id, n.hardware_id, n.measured,
			n.hardware_id IS NOT NULL AND count(*) OVER (PARTITION BY n.provider_id, n.hardware_id) > 1 AS several
		FROM epoch_node n WHERE n.epoch_id = e.epoch_id
	), found AS MATERIALIZED (
		SELECT t.* FROM measured_telemetry(e.period, p) t
	), again AS (
		SELECT m.provider_id, m.hardware_id, rollup(t.summary) AS summary
		FROM member m JOIN found t USING (node_id)
		WHERE m.several
		GROUP BY m.provider_id, m.hardware_id
	)
	SELECT m.node_id, NULL::code,
		CASE WHEN t.summary IS NULL OR slot_count(m.measured, p.telemetry_slot) = 0 THEN 0
			ELSE uptime(coalesce(a.summary, t.summary), m.measured) END,
		t.response_ms, t.error_rate_upper, coalesce(t.samples, 0), coalesce(t.errors, 0)
	FROM member m
		LEFT JOIN found t ON t.node_id = m.node_id
		LEFT JOIN again a ON m.several AND a.provider_id = m.provider_id AND a.hardware_id = m.hardware_id
	UNION ALL
	SELECT m.node_id, s.service_type, NULL, NULL, s.error_rate_upper, s.samples, NULL
	FROM member m JOIN found t USING (node_id), unnest(t.services) s;
END $$;
COMMENT ON FUNCTION preview_measure(epoch, policy) IS
'preview_epoch step: what telemetry, as it is now, says under a policy of the nodes of an epoch (service_type NULL) and of their services, as freeze_node measures it';

CREATE FUNCTION preview_rating(scenario scenario, own policy) RETURNS scenario
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT SET enable_nestloop = off SET jit = off AS $$
DECLARE
	s scenario := scenario;
	e epoch := s.epoch;
	p policy := s.policy;
	bad bigint;
BEGIN
	IF (p.telemetry_slot, p.response_quantile, p.error_confidence) = (own.telemetry_slot, own.response_quantile, own.error_confidence) THEN
		SELECT array_agg((n.node_id, q.trust, q.quality)::scenario_rating) INTO s.rating
		FROM epoch_node n, LATERAL node_rating(p, n.uptime, n.response_ms, n.error_rate_upper, n.beacons, n.location_excess_m) q
		WHERE n.epoch_id = e.epoch_id;
		RETURN s;
	END IF;
	SELECT count(DISTINCT coalesce(f.node_id, m.node_id)) INTO bad
	FROM (SELECT n.node_id, NULL::code AS service_type, n.uptime, n.response_ms, n.error_rate_upper, n.samples, n.errors
			FROM epoch_node n WHERE n.epoch_id = e.epoch_id
			UNION ALL SELECT d.node_id, d.service_type, NULL, NULL, d.error_rate_upper, d.samples, NULL
			FROM epoch_node_service d WHERE d.epoch_id = e.epoch_id) f
		FULL JOIN preview_measure(e, own) m ON m.node_id = f.node_id AND coalesce(m.service_type, '') = coalesce(f.service_type, '')
	WHERE (f.uptime, f.response_ms, f.error_rate_upper, f.samples, f.errors) IS DISTINCT FROM (m.uptime, m.response_ms, m.error_rate_upper, m.samples, m.errors)
		OR f.node_id IS NULL OR m.node_id IS NULL;
	IF bad > 0 THEN
		RAISE EXCEPTION 'telemetry of epoch % is not what it was when the epoch was computed: % nodes differ', e.epoch_id, bad
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('Policy %s measures it in another way (telemetry_slot, response_quantile or error_confidence) than policy %s.', p.policy_id, own.policy_id),
				HINT = 'Preview a policy that measures as the epoch did, or compute the epoch again.';
	END IF;
	SELECT array_agg((n.node_id, q.trust, q.quality)::scenario_rating) FILTER (WHERE m.service_type IS NULL),
		array_agg((m.node_id, m.service_type, m.error_rate_upper)::scenario_error_rate) FILTER (WHERE m.service_type IS NOT NULL)
	INTO s.rating, s.error_rate
	FROM preview_measure(e, p) m JOIN epoch_node n ON n.epoch_id = e.epoch_id AND n.node_id = m.node_id,
		LATERAL node_rating(p, m.uptime, m.response_ms, m.error_rate_upper, n.beacons, n.location_excess_m) q;
	RETURN s;
END $$;

COMMENT ON FUNCTION preview_rating(scenario, policy) IS
'preview_epoch step: a scenario with its nodes rated by its policy, and measured from telemetry in its way where that is not the way of the epoch''s own. Errors: telemetry is to be measured again and has changed since';

CREATE FUNCTION preview_field(e epoch, own policy, p policy) RETURNS epoch
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF p.grid_order <> own.grid_order THEN
		IF demand_field(e.period, own.grid_order) <> e.demand THEN
			RAISE EXCEPTION 'demand in epoch % is not what it was when the epoch was computed', e.epoch_id
				USING ERRCODE = 'object_not_in_prerequisite_state',
					DETAIL = format('Policy %s has grid_order %s, policy %s had %s.', p.policy_id, p.grid_order, own.policy_id, own.grid_order),
					HINT = 'Preview a policy with the same grid_order, or compute the epoch again.';
		END IF;
		e.demand := demand_field(e.period, p.grid_order);
	END IF;
	IF (p.grid_order, p.memory_epochs) <> (own.grid_order, own.memory_epochs) THEN
		e.supply := opening_supply_field(e.previous_epoch_id, p.grid_order, p.memory_epochs);
	END IF;
	IF e.emission_no IS NOT NULL AND p.policy_id <> own.policy_id AND p.emission IS NOT NULL THEN
		e.budget := emission(p.policy_id, next_emission_no(p.policy_id, e.epoch_id, lower(e.period)));
	END IF;
	e.policy_id := p.policy_id;
	RETURN e;
END $$;

COMMENT ON FUNCTION preview_field(epoch, policy, policy) IS
'preview_epoch step: the epoch under another policy, with its emission where the budget was one, and with demand and opening supply on its grid and as it remembers them. Errors: the grid is another and demand has changed since';

CREATE FUNCTION preview_region(e epoch, own policy, p policy) RETURNS epoch_region[]
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	again boolean := (p.grid_order, p.supply_target, p.memory_epochs) <> (own.grid_order, own.supply_target, own.memory_epochs);
	covered coverage;
	x record;
	r epoch_region;
	result epoch_region[] := '{}';
BEGIN
	IF again THEN
		covered := covered_field(e.demand, e.supply, p.supply_target::double precision);
	END IF;
	FOR x IN
		SELECT f AS frozen, g.boundary FROM epoch_region f LEFT JOIN region g ON again AND g.code = f.region WHERE f.epoch_id = e.epoch_id
	LOOP
		r := x.frozen;
		IF again THEN
			IF sha256(ST_AsBinary(x.boundary)) IS DISTINCT FROM r.boundary_digest THEN
				RAISE EXCEPTION 'region % is not what it was in epoch %', r.region, e.epoch_id
					USING ERRCODE = 'object_not_in_prerequisite_state',
						DETAIL = format('Policy %s has another grid_order, supply_target or memory_epochs than policy %s, so that coverage is to be measured within its boundary again.', p.policy_id, own.policy_id),
						HINT = 'Preview a policy with the same grid_order, supply_target and memory_epochs, or compute the epoch again.';
			END IF;
			r.demand := coverage_sum(e.demand, x.boundary);
			r.covered := coverage_sum(covered, x.boundary);
		END IF;
		r.multiplier := region_multiplier(r.covered, r.demand, r.target_fraction, p.region_multiplier_max);
		result := result || r;
	END LOOP;
	RETURN result;
END $$;

COMMENT ON FUNCTION preview_region(epoch, policy, policy) IS
'preview_epoch step: the regions of an epoch with the multipliers of another policy, measured again where grid, target or memory are others. Errors: a boundary has changed since';

CREATE FUNCTION preview_epoch(epoch_id bigint, policy_id bigint)
RETURNS TABLE (component text, node_id bigint, provider_id bigint, amount numeric, paid numeric, difference numeric)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	s scenario;
	e epoch;
	own policy;
	p policy;
BEGIN
	PERFORM check_sees_rewards();
	e := computed_epoch($1);
	SELECT * INTO STRICT own FROM policy WHERE policy.policy_id = e.policy_id;
	SELECT * INTO p FROM policy WHERE policy.policy_id = $2;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'policy % does not exist', $2
			USING ERRCODE = 'no_data_found', HINT = 'Insert it into the table policy, without effective_from while it is a draft, and its rules into specialization.';
	END IF;
	s.policy := p;
	s.epoch := preview_field(e, own, p);
	s.region := preview_region(s.epoch, own, p);
	s := scenario_market(preview_rating(s, own));

	RETURN QUERY
	SELECT c.code::text, x.node_id, x.provider_id, x.amount, x.paid, x.amount - x.paid
	FROM (SELECT coalesce(a.component, b.component) AS component, coalesce(a.node_id, b.node_id) AS node_id, coalesce(a.provider_id, b.provider_id) AS provider_id,
			coalesce(a.amount, 0) AS amount, coalesce(b.amount, 0) AS paid
		FROM (SELECT w.component, w.node_id, w.provider_id, sum(w.amount) AS amount FROM scenario_reward(s) w GROUP BY 1, 2, 3) a
			FULL JOIN (SELECT r.component::text, r.node_id, r.provider_id, r.amount FROM reward r WHERE r.epoch_id = $1) b
				ON b.component = a.component AND b.node_id = a.node_id) x
		JOIN component c ON c.code = x.component
	ORDER BY c.position, x.node_id;
END $$;

COMMENT ON FUNCTION preview_epoch(bigint, bigint) IS
'what another policy would have paid in a computed or final epoch, node by node and component by component, beside what was paid, base units; one row for each node and component with a score under either policy; sums of difference by provider_id are who would have won and lost. Nothing is written, and the policy need not be in use. All else is as it was: the state in which the epoch opened (supply, prices, marks, ages, carry-over), what its nodes did, and its budget, unless that was an emission and the other policy has emissions of its own. Equal to what run_epoch would have paid with this policy, to the base unit. Facts are the frozen ones; only where the policy has another grid_order, telemetry_slot, response_quantile or error_confidence are they measured again from the live tables. Errors: no such epoch or policy, epoch not computed; facts or regions are to be measured again and the live tables no longer give what was frozen';

CREATE TABLE restatement_run (
	run_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	epoch_id bigint NOT NULL REFERENCES epoch,
	last_epoch_id bigint NOT NULL REFERENCES epoch,
	posted_epoch_id bigint NOT NULL REFERENCES epoch,
	nodes bigint[],
	reason text NOT NULL CHECK (btrim(reason, E' \t\r\n') <> ''),
	line_count bigint NOT NULL CHECK (line_count >= 0),
	input_count bigint NOT NULL CHECK (input_count >= 0),
	digest bytea NOT NULL CHECK (length(digest) = 32),
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (run_id, posted_epoch_id),
	CONSTRAINT restatement_run_posted_elsewhere CHECK (posted_epoch_id NOT IN (epoch_id, last_epoch_id))
);

COMMENT ON TABLE restatement_run IS 'each call of restate_epoch that found something to correct; rows are only ever added';

COMMENT ON COLUMN restatement_run.run_id IS 'key';

COMMENT ON COLUMN restatement_run.epoch_id IS 'the final epoch whose inputs were corrected';

COMMENT ON COLUMN restatement_run.last_epoch_id IS 'the last final epoch then: all from epoch_id to it were computed again';

COMMENT ON COLUMN restatement_run.posted_epoch_id IS 'the epoch in whose statements the lines appear: the first that was not final';

COMMENT ON COLUMN restatement_run.nodes IS 'nodes whose rows of the table node were taken as they were then; NULL: all. Of the others provider, hardware, place, radius and membership stayed as frozen, or as the restatement before had them';

COMMENT ON COLUMN restatement_run.reason IS 'why';

COMMENT ON COLUMN restatement_run.line_count IS 'rows of restatement';

COMMENT ON COLUMN restatement_run.input_count IS 'rows of restatement_input';

COMMENT ON COLUMN restatement_run.digest IS 'the digest that the last epoch would have had; the same inputs give it again';

COMMENT ON COLUMN restatement_run.created_at IS 'when it was posted';

CREATE INDEX restatement_run_posted_idx ON restatement_run (posted_epoch_id);

CREATE TABLE restatement (
	restatement_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	run_id bigint NOT NULL,
	epoch_id bigint NOT NULL REFERENCES epoch,
	posted_epoch_id bigint NOT NULL,
	node_id bigint REFERENCES node,
	provider_id bigint REFERENCES provider,
	component code NOT NULL REFERENCES component,
	original numeric(38,0) NOT NULL CHECK (original < 'Infinity'),
	posted_before numeric(38,0) NOT NULL CHECK (posted_before < 'Infinity'),
	corrected numeric(38,0) NOT NULL CHECK (corrected < 'Infinity'),
	amount numeric(38,0) NOT NULL CHECK (amount <> 0 AND amount < 'Infinity'),
	FOREIGN KEY (run_id, posted_epoch_id) REFERENCES restatement_run (run_id, posted_epoch_id),
	CONSTRAINT restatement_posted_elsewhere CHECK (posted_epoch_id <> epoch_id),
	CONSTRAINT restatement_is_difference CHECK (amount = corrected - original - posted_before),
	CONSTRAINT restatement_of_node_or_pool CHECK ((node_id IS NULL) = (provider_id IS NULL)),
	CONSTRAINT restatement_reward_not_negative CHECK (node_id IS NULL OR (original >= 0 AND corrected >= 0))
);

COMMENT ON TABLE restatement IS 'signed corrections of final epochs, posted in the statements of a later one; rows are only ever added, and the rows of a run add up to zero in each epoch and component';

COMMENT ON COLUMN restatement.restatement_id IS 'key';

COMMENT ON COLUMN restatement.run_id IS 'the call of restate_epoch';

COMMENT ON COLUMN restatement.epoch_id IS 'the final epoch that is corrected';

COMMENT ON COLUMN restatement.posted_epoch_id IS 'the later epoch in whose statements it appears';

COMMENT ON COLUMN restatement.node_id IS 'the node; NULL: the line of the pool, which keeps less (or more) for carry-over and treasury and is settled with the treasury';

COMMENT ON COLUMN restatement.provider_id IS 'the provider paid or charged; NULL: the treasury';

COMMENT ON COLUMN restatement.component IS 'what for';

COMMENT ON COLUMN restatement.original IS 'the amount in reward, 0 without a row; in a pool''s line its budget less what it paid. Base units';

COMMENT ON COLUMN restatement.posted_before IS 'sum of the amounts of earlier runs for the same epoch, node, provider and component, base units';

COMMENT ON COLUMN restatement.corrected IS 'what original should have been, base units';

COMMENT ON COLUMN restatement.amount IS 'corrected - original - posted_before, base units, signed';

CREATE UNIQUE INDEX restatement_node_idx ON restatement (run_id, epoch_id, component, node_id, provider_id) WHERE node_id IS NOT NULL;

CREATE UNIQUE INDEX restatement_pool_idx ON restatement (run_id, epoch_id, component) WHERE node_id IS NULL;

CREATE INDEX restatement_posted_idx ON restatement (posted_epoch_id, provider_id);

CREATE INDEX restatement_epoch_idx ON restatement (epoch_id);

CREATE TABLE restatement_input (
	run_id bigint NOT NULL REFERENCES restatement_run,
	input_no bigint NOT NULL CHECK (input_no > 0),
	epoch_id bigint NOT NULL REFERENCES epoch,
	relation code NOT NULL,
	original jsonb,
	corrected jsonb,
	PRIMARY KEY (run_id, input_no),
	CONSTRAINT restatement_input_changed CHECK (coalesce(original, corrected) IS NOT NULL AND original IS DISTINCT FROM corrected)
);

COMMENT ON TABLE restatement_input IS 'why a restatement differs: every row of a sealed table, rewards excepted, that would have been another in an epoch computed again. The next restatement starts from here';

COMMENT ON COLUMN restatement_input.run_id IS 'the call of restate_epoch';

COMMENT ON COLUMN restatement_input.input_no IS 'number of the row in its run';

COMMENT ON COLUMN restatement_input.epoch_id IS 'the epoch';

COMMENT ON COLUMN restatement_input.relation IS 'name of the frozen table, for example epoch_node';

COMMENT ON COLUMN restatement_input.original IS 'the row as it was frozen, without epoch_id; NULL: there was none';

COMMENT ON COLUMN restatement_input.corrected IS 'the row as it should have been; NULL: there should have been none';

CREATE TABLE final_statement (
	epoch_id bigint NOT NULL REFERENCES epoch,
	provider_id bigint NOT NULL REFERENCES provider,
	earned numeric(38,0) NOT NULL CHECK (earned >= 0),
	-- sums of any number of amounts
	restated numeric(78,0) NOT NULL CHECK (restated < 'Infinity'),
	total numeric(78,0) NOT NULL GENERATED ALWAYS AS (earned + restated) STORED,
	PRIMARY KEY (epoch_id, provider_id),
	UNIQUE (epoch_id, provider_id, total)
);

COMMENT ON TABLE final_statement IS 'the statements of final epochs, written when an epoch becomes final: the units that payouts settle. They never change';

COMMENT ON COLUMN final_statement.epoch_id IS 'the epoch';

COMMENT ON COLUMN final_statement.provider_id IS 'the provider';

COMMENT ON COLUMN final_statement.earned IS 'sum of its rewards in the epoch, base units';

COMMENT ON COLUMN final_statement.restated IS 'sum of the restatements posted to it in the epoch, base units, signed';

COMMENT ON COLUMN final_statement.total IS 'earned + restated, base units; may be negative, which is set off against other statements and never paid';

CREATE INDEX final_statement_provider_idx ON final_statement (provider_id);

SELECT pg_catalog.pg_extension_config_dump('restatement_run', '');

SELECT pg_catalog.pg_extension_config_dump('restatement_run_run_id_seq', '');

SELECT pg_catalog.pg_extension_config_dump('restatement', '');

SELECT pg_catalog.pg_extension_config_dump('restatement_restatement_id_seq', '');

SELECT pg_catalog.pg_extension_config_dump('restatement_input', '');

SELECT pg_catalog.pg_extension_config_dump('final_statement', '');

CREATE FUNCTION restatement_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	bad record;
	present boolean;
BEGIN
	IF TG_OP <> 'INSERT' THEN
		IF TG_OP = 'TRUNCATE' THEN
			EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO present;
		ELSE
			present := EXISTS (SELECT FROM old_rows);
		END IF;
		IF present THEN
			RAISE EXCEPTION 'rows of % cannot be changed', TG_TABLE_NAME
				USING ERRCODE = 'restrict_violation',
					HINT = CASE TG_TABLE_NAME WHEN 'final_statement' THEN 'Statements of a final epoch stay; corrections are posted in a later one by restate_epoch.'
						ELSE 'Correct the inputs and call restate_epoch again: it posts what still differs.' END;
		END IF;
		RETURN NULL;
	END IF;

	CASE TG_TABLE_NAME
	WHEN 'restatement_run' THEN
		SELECT e.epoch_id, e.status INTO bad FROM epoch e
		WHERE e.epoch_id IN (SELECT n.posted_epoch_id FROM new_rows n)
			AND e.restatements < (SELECT count(*) FROM restatement_run r WHERE r.posted_epoch_id = e.epoch_id) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot add a restatement to the statements of epoch %, which is %', bad.epoch_id, bad.status
				USING ERRCODE = 'restrict_violation', HINT = 'restate_epoch posts into the first epoch that is not final.';
		END IF;
		SELECT e.epoch_id, e.status INTO bad FROM epoch e
		WHERE e.status <> 'final' AND e.epoch_id IN (SELECT n.epoch_id FROM new_rows n UNION ALL SELECT n.last_epoch_id FROM new_rows n) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot restate epoch %, which is %', bad.epoch_id, bad.status
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) to compute it again.', bad.epoch_id);
		END IF;
	WHEN 'restatement' THEN
		FOR bad IN SELECT r.run_id, r.line_count - (SELECT count(*) FROM restatement x WHERE x.run_id = r.run_id) AS missing
			FROM restatement_run r WHERE r.run_id IN (SELECT n.run_id FROM new_rows n)
		LOOP
			IF bad.missing < 0 THEN
				RAISE EXCEPTION 'cannot add to restatement run %, which is complete', bad.run_id USING ERRCODE = 'restrict_violation';
			END IF;
			CONTINUE WHEN bad.missing > 0;
			SELECT bad.run_id, x.epoch_id, x.component, sum(x.amount) AS amount INTO bad FROM restatement x
			WHERE x.run_id = bad.run_id GROUP BY x.epoch_id, x.component HAVING sum(x.amount) <> 0 LIMIT 1;
			IF FOUND THEN
				RAISE EXCEPTION 'restatement run % does not balance: its lines for % of epoch % add up to %, not 0', bad.run_id, bad.component, bad.epoch_id, bad.amount
					USING ERRCODE = 'check_violation';
			END IF;
		END LOOP;
	WHEN 'restatement_input' THEN
		SELECT r.run_id INTO bad FROM restatement_run r
		WHERE r.run_id IN (SELECT n.run_id FROM new_rows n)
			AND r.input_count < (SELECT count(*) FROM restatement_input x WHERE x.run_id = r.run_id) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot add to the inputs of restatement run %, which is complete', bad.run_id USING ERRCODE = 'restrict_violation';
		END IF;
	WHEN 'final_statement' THEN
		SELECT e.epoch_id, e.status INTO bad FROM epoch e
		WHERE e.epoch_id IN (SELECT n.epoch_id FROM new_rows n) AND (e.status <> 'final' OR coalesce(e.statements, 0) <
			(SELECT count(*) FROM final_statement s WHERE s.epoch_id = e.epoch_id)) LIMIT 1;
		IF FOUND THEN
			RAISE EXCEPTION 'cannot add to the statements of epoch %, which is %', bad.epoch_id, bad.status
				USING ERRCODE = 'restrict_violation', HINT = 'They are written when the epoch becomes final.';
		END IF;
	END CASE;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION restatement_guard() IS
'trigger: restatements and final statements are only ever added, and only by restate_epoch and when an epoch becomes final; the lines of a run add up to zero in each epoch and component';

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['restatement_run', 'restatement', 'restatement_input', 'final_statement'] LOOP
		EXECUTE format('CREATE TRIGGER guard_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION restatement_guard()', t);
		EXECUTE format('CREATE TRIGGER guard_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION restatement_guard()', t);
		EXECUTE format('CREATE TRIGGER guard_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION restatement_guard()', t);
		EXECUTE format('CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION restatement_guard()', t);
	END LOOP;
END $$;

CREATE FUNCTION epoch_statement(epoch_id bigint)
RETURNS TABLE (provider_id bigint, earned numeric, restated numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT s.provider_id, sum(s.earned), sum(s.restated)
	FROM (SELECT r.provider_id, r.amount AS earned, 0::numeric AS restated FROM reward r WHERE r.epoch_id = epoch_statement.epoch_id
		UNION ALL
		SELECT x.provider_id, 0, x.amount FROM restatement x
		WHERE x.posted_epoch_id = epoch_statement.epoch_id AND x.provider_id IS NOT NULL) s
	GROUP BY s.provider_id;
END;

COMMENT ON FUNCTION epoch_statement(bigint) IS
'what each provider earned in an epoch and what was restated to it there, base units; NULL gives no row';

CREATE FUNCTION epoch_close() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF TG_WHEN = 'BEFORE' THEN
		IF NEW.restatements <> (SELECT count(*) FROM restatement_run r WHERE r.posted_epoch_id = NEW.epoch_id) THEN
			RAISE EXCEPTION 'epoch % cannot become final: it counts % restatements, but % are posted in it', NEW.epoch_id, NEW.restatements,
				(SELECT count(*) FROM restatement_run r WHERE r.posted_epoch_id = NEW.epoch_id)
				USING ERRCODE = 'check_violation';
		END IF;
		NEW.statements := (SELECT count(*) FROM epoch_statement(NEW.epoch_id));
		RETURN NEW;
	END IF;
	INSERT INTO final_statement (epoch_id, provider_id, earned, restated)
	SELECT NEW.epoch_id, s.provider_id, s.earned, s.restated FROM epoch_statement(NEW.epoch_id) s;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION epoch_close() IS 'trigger: writes final_statement when an epoch becomes final';

CREATE TRIGGER epoch_close_count BEFORE UPDATE ON epoch FOR EACH ROW
	WHEN (NEW.status = 'final' AND OLD.status <> 'final') EXECUTE FUNCTION epoch_close();

CREATE TRIGGER epoch_close AFTER UPDATE ON epoch FOR EACH ROW
	WHEN (NEW.status = 'final' AND OLD.status <> 'final') EXECUTE FUNCTION epoch_close();

CREATE FUNCTION telemetry_missing(period tstzrange) RETURNS tstzmultirange
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT AS $$
	-- a partition without two bounds may hold anything
	SELECT CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = 'telemetry'::regclass
			AND i.inhrelid NOT IN (SELECT p.partition FROM telemetry_partition('telemetry') p)) THEN '{}' ELSE tstzmultirange(period) END
		- telemetry_span('telemetry')
		- coalesce((SELECT range_agg(tstzrange(o.hour, o.hour + interval '1 hour')) FROM telemetry_rolled o
			WHERE o.slot IS NOT NULL AND o.hour >= hour_of(lower(period)) AND o.hour < upper(period) AND o.hour <@ telemetry_span('telemetry_hour')), '{}')
$$;

COMMENT ON FUNCTION telemetry_missing(tstzrange) IS
'the parts of a bounded time for which there is neither a partition of telemetry nor a summary in telemetry_hour; NULL for NULL';

CREATE FUNCTION last_restatement(epoch_id bigint) RETURNS bigint
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT max(r.run_id) FROM epoch e, restatement_run r JOIN epoch f ON f.epoch_id = r.epoch_id JOIN epoch l ON l.epoch_id = r.last_epoch_id
	WHERE e.epoch_id = last_restatement.epoch_id AND e.epoch_no BETWEEN f.epoch_no AND l.epoch_no;
END;

COMMENT ON FUNCTION last_restatement(bigint) IS
'the last row of restatement_run in which a final epoch was computed again: its restatement_input holds all that differs from what was frozen; NULL: none';

CREATE FUNCTION recompute_final(epoch_id bigint, nodes bigint[])
RETURNS TABLE (relation text, epoch bigint, node_id bigint, provider_id bigint, component text, amount numeric, original jsonb, corrected jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET session_replication_role = replica SET client_min_messages = warning
SET extra_float_digits = 1 SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres' SET bytea_output = 'hex' AS $$
#variable_conflict use_column
DECLARE
	first int;
	memory int;
	one bigint;
	aside bigint;
	run bigint;
	had numeric;
	missing tstzmultirange;
	bad record;
	t record;
	-- every sealed table but the rewards: its columns without epoch_id, and when two of its rows have the same key
	tables CONSTANT text := $q$
		SELECT s.relation, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS columns,
			CASE s.relation WHEN 'epoch_mark' THEN $k$o.resource_type = n.resource_type AND coalesce('h' || o.hardware_id, 'p' || o.provider_id, '') = coalesce('h' || n.hardware_id, 'p' || n.provider_id, '')$k$
				WHEN 'epoch_first' THEN $k$o.region = n.region AND coalesce('h' || o.hardware_id, 'p' || o.provider_id) = coalesce('h' || n.hardware_id, 'p' || n.provider_id)$k$
				ELSE string_agg(format('o.%1$I = n.%1$I', a.attname), ' AND ') FILTER (WHERE a.attnum = ANY (i.indkey)) END AS same_key
		FROM @extschema@.sealed_relation() s JOIN pg_attribute a ON a.attrelid = format('@extschema@.%I', s.relation)::regclass
				AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'epoch_id'
			LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
		WHERE s.relation NOT IN ('epoch_pool_part', 'reward', 'reward_part')
		GROUP BY s.relation $q$;
	old_first @extschema@.epoch_first[];
	hidden_region @extschema@.region[];
	hidden_resource_type @extschema@.resource_type[];
	hidden_service_type @extschema@.service_type[];
	hidden_resource @extschema@.node_resource[];
	hidden_demand @extschema@.resource_demand[];
BEGIN
	SELECT e.epoch_no INTO first FROM @extschema@.epoch e WHERE e.epoch_id = $1 AND e.status = 'final';
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT max(p.memory_epochs) INTO memory
	FROM @extschema@.epoch e JOIN @extschema@.policy p ON p.policy_id = e.policy_id WHERE e.status = 'final' AND e.epoch_no >= first;
	BEGIN
		-- epochs that are not final would be computed again with the one before them
		UPDATE @extschema@.epoch e SET status = 'planned' WHERE e.status IN ('open', 'computed');
		DELETE FROM @extschema@.epoch_first f USING @extschema@.epoch e WHERE e.epoch_id = f.epoch_id AND e.status = 'planned';

		-- epochs before the first are as the last restatement had them
		FOR one, run IN
			SELECT e.epoch_id, @extschema@.last_restatement(e.epoch_id) FROM @extschema@.epoch e WHERE e.status = 'final' AND e.epoch_no < first
		LOOP
			CONTINUE WHEN run IS NULL;
			FOR t IN EXECUTE tables LOOP
				EXECUTE format($q$ DELETE FROM @extschema@.%I t USING @extschema@.restatement_input i
					WHERE t.epoch_id = $1 AND i.run_id = $2 AND i.epoch_id = $1 AND i.relation = $3 AND to_jsonb(t) - 'epoch_id' = i.original $q$, t.relation)
				USING one, run, t.relation;
				EXECUTE format($q$ INSERT INTO @extschema@.%1$I
					SELECT (jsonb_populate_record(NULL::@extschema@.%1$I, i.corrected || jsonb_build_object('epoch_id', i.epoch_id))).*
					FROM @extschema@.restatement_input i
					WHERE i.run_id = $2 AND i.epoch_id = $1 AND i.relation = $3 AND i.corrected IS NOT NULL $q$, t.relation)
				USING one, run, t.relation;
			END LOOP;
			-- fields only where they will be read
			UPDATE @extschema@.epoch e SET closing_supply = @extschema@.supply_field(one, @extschema@.coverage_order(e.closing_supply))
			WHERE e.epoch_id = one AND e.epoch_no >= first - memory AND EXISTS (SELECT FROM @extschema@.restatement_input i
				WHERE i.run_id = run AND i.epoch_id = one AND i.relation = 'epoch_node');
		END LOOP;

		-- what the others had frozen waits under other keys to be compared with;
		-- who was first would be so for run_epoch under any key
		SELECT min(e.epoch_id) INTO aside FROM @extschema@.epoch e;
		WITH gone AS (DELETE FROM @extschema@.epoch_first f USING @extschema@.epoch e
			WHERE e.epoch_id = f.epoch_id AND e.epoch_no >= first RETURNING f)
		SELECT array_agg(gone.f) INTO old_first FROM gone;
		FOR t IN EXECUTE tables LOOP
			CONTINUE WHEN t.relation = 'epoch_first';
			EXECUTE format('UPDATE @extschema@.%I t SET epoch_id = $1 - (e.epoch_no - $2 + 1) FROM @extschema@.epoch e
				WHERE e.epoch_id = t.epoch_id AND e.status = ''final'' AND e.epoch_no >= $2', t.relation) USING aside, first;
		END LOOP;

		FOR one IN SELECT e.epoch_id FROM @extschema@.epoch e WHERE e.status = 'final' AND e.epoch_no >= first ORDER BY e.epoch_no LOOP
			aside := aside - 1;
			SELECT sum(n.samples) INTO had FROM @extschema@.epoch_node n WHERE n.epoch_id = aside;
			IF had > 0 THEN
				SELECT @extschema@.telemetry_missing(e.period) INTO missing FROM @extschema@.epoch e WHERE e.epoch_id = one;
				IF NOT isempty(missing) THEN
					RAISE EXCEPTION 'cannot compute epoch % again: there is no telemetry any more for %', one, missing
						USING ERRCODE = 'object_not_in_prerequisite_state',
							HINT = 'Attach the partitions that were dropped, or restate a later epoch.';
				END IF;
			END IF;

			-- What the network had laid down for the epoch stays as it was frozen:
			-- only facts are corrected. What was not known then is hidden.
			INSERT INTO @extschema@.region SELECT (u).* FROM unnest(hidden_region) u;
			INSERT INTO @extschema@.resource_type SELECT (u).* FROM unnest(hidden_resource_type) u;
			INSERT INTO @extschema@.service_type SELECT (u).* FROM unnest(hidden_service_type) u;
			INSERT INTO @extschema@.node_resource SELECT (u).* FROM unnest(hidden_resource) u;
			INSERT INTO @extschema@.resource_demand SELECT (u).* FROM unnest(hidden_demand) u;
			WITH gone AS (DELETE FROM @extschema@.region r
				WHERE NOT EXISTS (SELECT FROM @extschema@.epoch_region x WHERE x.epoch_id = aside AND x.region = r.code) RETURNING r)
			SELECT array_agg(gone.r) INTO hidden_region FROM gone;
			WITH gone AS (DELETE FROM @extschema@.resource_type r
				WHERE NOT EXISTS (SELECT FROM @extschema@.epoch_resource x WHERE x.epoch_id = aside AND x.resource_type = r.code) RETURNING r)
			SELECT array_agg(gone.r) INTO hidden_resource_type FROM gone;
			WITH gone AS (DELETE FROM @extschema@.service_type r
				WHERE NOT EXISTS (SELECT FROM @extschema@.epoch_service x WHERE x.epoch_id = aside AND x.service_type = r.code) RETURNING r)
			SELECT array_agg(gone.r) INTO hidden_service_type FROM gone;
			WITH gone AS (DELETE FROM @extschema@.node_resource r
				WHERE r.resource_type IN (SELECT u.code FROM unnest(hidden_resource_type) u) RETURNING r)
			SELECT array_agg(gone.r) INTO hidden_resource FROM gone;
			WITH gone AS (DELETE FROM @extschema@.resource_demand r
				WHERE r.resource_type IN (SELECT u.code FROM unnest(hidden_resource_type) u)
					OR r.region IN (SELECT u.code FROM unnest(hidden_region) u) RETURNING r)
			SELECT array_agg(gone.r) INTO hidden_demand FROM gone;
			UPDATE @extschema@.region r SET target_fraction = x.target_fraction
			FROM @extschema@.epoch_region x
			WHERE x.epoch_id = aside AND x.region = r.code AND x.target_fraction <> r.target_fraction;
			UPDATE @extschema@.resource_type r SET unit_value = x.unit_value, growth_need = x.growth_need, initial_price = x.previous_price
			FROM @extschema@.epoch_resource x
			WHERE x.epoch_id = aside AND x.resource_type = r.code
				AND (x.unit_value, x.growth_need, x.previous_price) IS DISTINCT FROM (r.unit_value, r.growth_need, r.initial_price);
			UPDATE @extschema@.service_type r SET premium = x.premium
			FROM @extschema@.epoch_service x
			WHERE x.epoch_id = aside AND x.service_type = r.code AND x.premium <> r.premium;

			IF nodes IS NOT NULL THEN
				run := @extschema@.last_restatement(one);
				-- as left ones, which count the same: two of one hardware cannot both be active
				WITH input AS (
					SELECT i.original, i.corrected FROM @extschema@.restatement_input i
					WHERE i.run_id = run AND i.epoch_id = one AND i.relation = 'epoch_node'
				), believed AS (
					SELECT x.* FROM @extschema@.epoch_node x
					WHERE x.epoch_id = aside AND x.node_id NOT IN (SELECT (i.original ->> 'node_id')::bigint FROM input i WHERE i.original IS NOT NULL)
					UNION ALL
					SELECT (jsonb_populate_record(NULL::@extschema@.epoch_node, i.corrected)).* FROM input i WHERE i.corrected IS NOT NULL
				)
				UPDATE @extschema@.node n SET provider_id = coalesce(b.provider_id, n.provider_id),
					hardware_id = CASE WHEN b.node_id IS NULL THEN n.hardware_id ELSE b.hardware_id END,
					location = coalesce(b.location, n.location), service_radius_m = coalesce(b.service_radius_m, n.service_radius_m),
					status = CASE WHEN b.node_id IS NULL THEN 'pending' ELSE 'left' END,
					joined_at = coalesce(lower(b.active), n.joined_at), left_at = coalesce(upper(b.active), n.left_at)
				FROM @extschema@.node m LEFT JOIN believed b ON b.node_id = m.node_id
				WHERE m.node_id = n.node_id AND n.node_id <> ALL (nodes);
			END IF;

			UPDATE @extschema@.epoch e SET status = 'computed', final_at = NULL WHERE e.epoch_id = one;
			CALL @extschema@.run_epoch(one);
			UPDATE @extschema@.epoch e SET status = 'final', final_at = now() WHERE e.epoch_id = one;

			SELECT b.* INTO bad FROM @extschema@.epoch_balance(one) b WHERE b.wanted <> b.found LIMIT 1;
			IF FOUND THEN
				RAISE EXCEPTION 'epoch % computed again does not balance: %', one, concat_ws(': ', bad.component, bad.rule)
					USING ERRCODE = 'check_violation', DETAIL = format('Wanted %s, found %s.', bad.wanted, bad.found);
			END IF;
			IF had > 0 AND (SELECT coalesce(sum(n.samples), 0) FROM @extschema@.epoch_node n WHERE n.epoch_id = one) = 0 THEN
				RAISE EXCEPTION 'cannot compute epoch % again: of the % rows of telemetry that it counted none is there any more', one, had
					USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Load the telemetry of its period again, or restate a later epoch.';
			END IF;

			RETURN QUERY SELECT 'reward', one, r.node_id, r.provider_id, r.component::text, r.amount, NULL::jsonb, NULL::jsonb
			FROM @extschema@.reward r WHERE r.epoch_id = one AND r.amount > 0;
			RETURN QUERY SELECT 'treasury', one, NULL::bigint, NULL::bigint, p.component::text, p.budget - p.paid, NULL::jsonb, NULL::jsonb
			FROM @extschema@.epoch_pool p WHERE p.epoch_id = one;
			FOR t IN EXECUTE tables LOOP
				RETURN QUERY EXECUTE format($q$
					SELECT $3, $2, NULL::bigint, NULL::bigint, NULL::text, NULL::numeric, to_jsonb(o) - '?', to_jsonb(n) - '?'
					FROM (SELECT %1$s, true AS "?" FROM %4$s WHERE epoch_id = $1) o
						FULL JOIN (SELECT %1$s, true AS "?" FROM @extschema@.%2$I WHERE epoch_id = $2) n ON %3$s
					WHERE o."?" IS NULL OR n."?" IS NULL OR o *<> n $q$,
					t.columns, t.relation, t.same_key, CASE t.relation WHEN 'epoch_first' THEN 'unnest($4)' ELSE format('@extschema@.%I', t.relation) END)
				USING CASE t.relation WHEN 'epoch_first' THEN one ELSE aside END, one, t.relation, old_first;
			END LOOP;
		END LOOP;
		RETURN QUERY SELECT 'epoch', e.epoch_id, NULL::bigint, NULL::bigint, NULL::text, NULL::numeric, NULL::jsonb, to_jsonb(encode(e.digest, 'hex'))
		FROM @extschema@.epoch e WHERE e.status = 'final' ORDER BY e.epoch_no DESC LIMIT 1;
		RAISE EXCEPTION USING ERRCODE = 'SRUND', MESSAGE = 'undone';
	EXCEPTION WHEN SQLSTATE 'SRUND' THEN
		NULL;
	END;
END $$;

COMMENT ON FUNCTION recompute_final(bigint, bigint[]) IS
'restate_epoch step: computes a final epoch and the final ones after it again with run_epoch, each from the corrected closing state of the one before, rolls that back, and returns the rewards (relation reward), what the pools keep (treasury: budget less paid), each row of the other sealed tables that would have been another (by table), and the digest of the last epoch (epoch). Runs with the rights of the owner and leaves nothing behind. No row for an epoch that is not final. Errors: telemetry that is not there any more, and those of run_epoch';

CREATE FUNCTION preview_restatement(epoch_id bigint, nodes bigint[] DEFAULT NULL)
RETURNS TABLE (epoch bigint, relation text, node_id bigint, provider_id bigint, component text,
	original numeric, posted_before numeric, corrected numeric, amount numeric, original_row jsonb, corrected_row jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	unknown bigint;
BEGIN
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF e.status <> 'final' THEN
		RAISE EXCEPTION 'epoch % is %: only a final epoch is restated', $1, e.status
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = format('CALL swarm_reward.run_epoch(%s) to compute it.', $1);
	END IF;
	IF array_position(nodes, NULL) IS NOT NULL THEN
		RAISE EXCEPTION 'a node to take as it is now is NULL'
			USING ERRCODE = 'null_value_not_allowed', HINT = 'NULL in place of the array takes all nodes as they are now.';
	END IF;
	SELECT u INTO unknown FROM unnest(nodes) u WHERE NOT EXISTS (SELECT FROM node n WHERE n.node_id = u) LIMIT 1;
	IF FOUND THEN
		PERFORM unknown_id('node', unknown);
	END IF;

	RETURN QUERY
	WITH again AS MATERIALIZED (
		SELECT * FROM recompute_final($1, nodes)
	), chain AS (
		SELECT DISTINCT a.epoch AS epoch_id FROM again a
	), line AS (
		SELECT u.epoch_id, u.node_id, u.provider_id, u.component,
			sum(u.original) AS original, sum(u.posted) AS posted, sum(u.corrected) AS corrected
		FROM (SELECT a.epoch, a.node_id, a.provider_id, a.component, 0::numeric, 0::numeric, a.amount
				FROM again a WHERE a.relation IN ('reward', 'treasury')
			UNION ALL
			SELECT r.epoch_id, r.node_id, r.provider_id, r.component, r.amount, 0, 0 FROM reward r JOIN chain c ON c.epoch_id = r.epoch_id
			UNION ALL
			SELECT p.epoch_id, NULL, NULL, p.component, p.budget - p.paid, 0, 0 FROM epoch_pool p JOIN chain c ON c.epoch_id = p.epoch_id
			UNION ALL
			SELECT x.epoch_id, x.node_id, x.provider_id, x.component, 0, x.amount, 0 FROM restatement x JOIN chain c ON c.epoch_id = x.epoch_id
			) u (epoch_id, node_id, provider_id, component, original, posted, corrected)
		GROUP BY u.epoch_id, u.node_id, u.provider_id, u.component
	)
	SELECT l.epoch_id, CASE WHEN l.node_id IS NULL THEN 'treasury' ELSE 'reward' END, l.node_id, l.provider_id, l.component::text,
		l.original, l.posted, l.corrected, l.corrected - l.original - l.posted, NULL::jsonb, NULL::jsonb
	FROM line l WHERE l.corrected - l.original - l.posted <> 0
	UNION ALL
	SELECT a.epoch, a.relation, NULL, NULL, NULL, NULL, NULL, NULL, NULL, a.original, a.corrected
	FROM again a WHERE a.relation NOT IN ('reward', 'treasury');
END $$;

COMMENT ON FUNCTION preview_restatement(bigint, bigint[]) IS
'what restate_epoch would post, without posting it. relation reward: by epoch, node and component what was paid, what earlier restatements added, what it should have been, and the difference, base units; treasury: the same of each pool, whose amounts offset those of its epoch and component; epoch: the digest of the last epoch as it would have been; another table: a frozen row that would have been another. nodes: as for restate_epoch. Errors: no such epoch, not final, no such node, telemetry that is not there any more';

CREATE FUNCTION restate_epoch(epoch_id bigint, reason text, nodes bigint[] DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	posted bigint;
	last bigint;
	run bigint;
BEGIN
	IF coalesce(btrim(reason, E' \t\r\n'), '') = '' THEN
		RAISE EXCEPTION 'a restatement needs a reason' USING ERRCODE = 'invalid_parameter_value', HINT = 'It is kept with the restatement for whoever audits it.';
	END IF;
	-- one at a time: two would post the same difference
	PERFORM pg_advisory_xact_lock('restatement_run'::regclass::oid::int, 0);
	LOOP
		SELECT e.epoch_id INTO posted FROM epoch e WHERE e.status <> 'final' ORDER BY e.period LIMIT 1;
		EXIT WHEN NOT FOUND;
		-- it must not become final before the lines are in its statements
		PERFORM FROM epoch e WHERE e.epoch_id = posted AND e.status <> 'final' FOR UPDATE;
		EXIT WHEN FOUND;
	END LOOP;
	IF posted IS NULL AND EXISTS (SELECT FROM epoch e WHERE e.epoch_id = $1 AND e.status = 'final') THEN
		RAISE EXCEPTION 'there is no epoch in whose statements to post: all are final'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Insert the next epoch into the table epoch.';
	END IF;
	SELECT e.epoch_id INTO last FROM epoch e WHERE e.status = 'final' ORDER BY e.epoch_no DESC LIMIT 1;

	WITH plan AS MATERIALIZED (
		SELECT * FROM preview_restatement($1, nodes)
	), input AS MATERIALIZED (
		SELECT p.epoch, p.relation, p.original_row, p.corrected_row FROM plan p WHERE p.amount IS NULL AND p.relation <> 'epoch'
	), known AS MATERIALIZED (	-- what the last restatements of these epochs had corrected
		SELECT i.epoch_id, i.relation::text, i.original, i.corrected
		FROM epoch f JOIN epoch e ON e.epoch_no >= f.epoch_no AND e.status = 'final'
			JOIN restatement_input i ON i.epoch_id = e.epoch_id AND i.run_id = last_restatement(e.epoch_id)
		WHERE f.epoch_id = $1
	), head AS (
		INSERT INTO restatement_run (epoch_id, last_epoch_id, posted_epoch_id, nodes, reason, line_count, input_count, digest)
		SELECT $1, last, posted, nodes, reason, count(*) FILTER (WHERE p.amount IS NOT NULL), (SELECT count(*) FROM input),
			decode(max(p.corrected_row #>> '{}') FILTER (WHERE p.relation = 'epoch'), 'hex')
		FROM plan p
		HAVING bool_or(p.amount IS NOT NULL) OR EXISTS (
			(SELECT * FROM input EXCEPT SELECT * FROM known) UNION ALL (SELECT * FROM known EXCEPT SELECT * FROM input))
		RETURNING run_id
	), counted AS (
		UPDATE epoch e SET restatements = e.restatements + 1 FROM head WHERE e.epoch_id = posted
	), line AS (
		INSERT INTO restatement (run_id, epoch_id, posted_epoch_id, node_id, provider_id, component, original, posted_before, corrected, amount)
		SELECT h.run_id, p.epoch, posted, p.node_id, p.provider_id, p.component, p.original, p.posted_before, p.corrected, p.amount
		FROM head h, plan p WHERE p.amount IS NOT NULL
		ORDER BY p.epoch, p.component, p.node_id, p.provider_id
	), kept AS (
		INSERT INTO restatement_input (run_id, input_no, epoch_id, relation, original, corrected)
		SELECT h.run_id, row_number() OVER (ORDER BY i.epoch, i.relation, coalesce(i.original_row, i.corrected_row)), i.epoch, i.relation, i.original_row, i.corrected_row
		FROM head h, input i
	)
	SELECT h.run_id INTO run FROM head h;
	IF run IS NULL THEN
		RAISE NOTICE 'nothing to restate: epoch % and those after it come out as they are known', $1;
	ELSE
		RAISE NOTICE 'restatement run %: % lines posted in the statements of epoch %', run,
			(SELECT r.line_count FROM restatement_run r WHERE r.run_id = run), posted;
	END IF;
	RETURN run;
END $$;

COMMENT ON FUNCTION restate_epoch(bigint, text, bigint[]) IS
'computes a final epoch, and the final epochs after it, which start from its closing state, again from the facts as they are now in node, node_resource, demand, resource_demand, beacon, beacon_rtt and telemetry, and posts what differs from the rewards and earlier restatements, signed, in the statements of the first epoch that is not final; the final epochs stay as they are. Budgets, policies, regions and their targets, unit values, needs, prices and premiums stay as frozen. nodes: take only these nodes'' rows of node as they are now, leave the others'' provider, hardware, place, radius and membership as frozen, or as the restatement before had them (an empty array: of all); NULL: all as they are now. Returns the key of the new row of restatement_run, NULL when nothing differs: a second call posts nothing. Errors: no such epoch, not final, no reason, no epoch to post in, telemetry that is not there any more';

CREATE FUNCTION verify_restatement(run_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	r restatement_run;
	bad bigint;
BEGIN
	SELECT * INTO r FROM restatement_run WHERE restatement_run.run_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('restatement run', $1);
	END IF;
	SELECT count(*) INTO bad FROM restatement x WHERE x.run_id = $1;
	RETURN QUERY SELECT 'lines', bad = r.line_count, format('wanted %s, found %s', r.line_count, bad);
	SELECT count(*) INTO bad FROM restatement_input x WHERE x.run_id = $1;
	RETURN QUERY SELECT 'inputs', bad = r.input_count, format('wanted %s, found %s', r.input_count, bad);
	SELECT count(*) INTO bad FROM (SELECT FROM restatement x WHERE x.run_id = $1 GROUP BY x.epoch_id, x.component HAVING sum(x.amount) <> 0) u;
	RETURN QUERY SELECT 'balance', bad = 0, format('%s pools whose lines do not add up to 0', bad);
	SELECT count(*) INTO bad
	FROM restatement x
		LEFT JOIN reward w ON w.epoch_id = x.epoch_id AND w.node_id = x.node_id AND w.component = x.component AND w.provider_id = x.provider_id
		LEFT JOIN epoch_pool p ON p.epoch_id = x.epoch_id AND p.component = x.component
	WHERE x.run_id = $1 AND x.original IS DISTINCT FROM CASE WHEN x.node_id IS NULL THEN p.budget - p.paid ELSE coalesce(w.amount, 0) END;
	RETURN QUERY SELECT 'originals', bad = 0, format('%s lines differ from what was paid', bad);
	SELECT count(*) INTO bad
	FROM restatement x
		LEFT JOIN (SELECT b.epoch_id, b.component, coalesce(b.node_id, -1) AS node_id, coalesce(b.provider_id, -1) AS provider_id, b.node_id IS NULL AS pool, sum(b.amount) AS amount
			FROM restatement b WHERE b.run_id < $1 GROUP BY 1, 2, 3, 4, 5) b
			ON b.epoch_id = x.epoch_id AND b.component = x.component AND b.node_id = coalesce(x.node_id, -1)
				AND b.provider_id = coalesce(x.provider_id, -1) AND b.pool = (x.node_id IS NULL)
	WHERE x.run_id = $1 AND x.posted_before <> coalesce(b.amount, 0);
	RETURN QUERY SELECT 'earlier runs', bad = 0, format('%s lines differ from what earlier runs posted', bad);
	SELECT count(*) INTO bad
	FROM restatement x JOIN epoch e ON e.epoch_id = x.epoch_id, epoch f, epoch l, epoch p
	WHERE x.run_id = $1 AND f.epoch_id = r.epoch_id AND l.epoch_id = r.last_epoch_id AND p.epoch_id = r.posted_epoch_id
		AND (e.epoch_no NOT BETWEEN f.epoch_no AND l.epoch_no OR lower(p.period) < upper(l.period));
	RETURN QUERY SELECT 'epochs', bad = 0, format('%s lines are not of an epoch from %s to %s, posted after it', bad, r.epoch_id, r.last_epoch_id);
END $$;

COMMENT ON FUNCTION verify_restatement(bigint) IS
'checks a run of restate_epoch against the rewards it corrects and the runs before it; one row per check, ok is false where something is wrong. Errors: no such run';

CREATE TABLE payout (
	payout_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'released', 'cancelled')),
	up_to_epoch_id bigint NOT NULL REFERENCES epoch,
	line_count bigint NOT NULL CHECK (line_count > 0),
	leaf_count bigint NOT NULL CHECK (leaf_count > 0),
	total numeric(78,0) NOT NULL CHECK (total > 0 AND total < 'Infinity'),
	root bytea NOT NULL CHECK (length(root) = 32),
	note text,
	created_at timestamptz NOT NULL DEFAULT now(),
	released_at timestamptz,
	cancelled_at timestamptz,
	cancel_reason text CHECK (btrim(cancel_reason, E' \t\r\n') <> ''),
	cancelled boolean NOT NULL DEFAULT false,
	UNIQUE (payout_id, cancelled),
	CONSTRAINT payout_released_has_time CHECK ((status = 'released') = (released_at IS NOT NULL)),
	CONSTRAINT payout_cancelled_has_reason CHECK (cancelled = (status = 'cancelled') AND cancelled = (cancelled_at IS NOT NULL)
		AND cancelled = (cancel_reason IS NOT NULL))
);

COMMENT ON TABLE payout IS 'batches of payments; each final statement is in at most one that is not cancelled';

COMMENT ON COLUMN payout.payout_id IS 'key';

COMMENT ON COLUMN payout.status IS 'draft (not to be paid yet), released (to be paid, for good) or cancelled (never to be paid; its statements are open again)';

COMMENT ON COLUMN payout.up_to_epoch_id IS 'the last epoch whose statements it may settle';

COMMENT ON COLUMN payout.line_count IS 'rows of payout_line';

COMMENT ON COLUMN payout.leaf_count IS 'rows of payout_leaf';

COMMENT ON COLUMN payout.total IS 'sum of all payments, base units';

COMMENT ON COLUMN payout.root IS 'root of the Merkle tree over the leaves, 32 bytes';

COMMENT ON COLUMN payout.note IS 'free text';

COMMENT ON COLUMN payout.created_at IS 'when it was made';

COMMENT ON COLUMN payout.released_at IS 'when it was released; NULL: not';

COMMENT ON COLUMN payout.cancelled_at IS 'when it was cancelled; NULL: not';

COMMENT ON COLUMN payout.cancel_reason IS 'why it was cancelled; NULL: it was not';

COMMENT ON COLUMN payout.cancelled IS 'status = cancelled, for the lines to refer to';

CREATE TABLE payout_leaf (
	payout_id bigint NOT NULL REFERENCES payout,
	address text COLLATE "C" NOT NULL CHECK (is_payout_address(address) AND address = checksum_address(address)),
	amount numeric(78,0) NOT NULL CHECK (amount > 0 AND amount < 'Infinity'),
	leaf bytea NOT NULL,
	PRIMARY KEY (payout_id, address),
	CONSTRAINT payout_leaf_hash CHECK (leaf = merkle_leaf(address, amount))
);

COMMENT ON TABLE payout_leaf IS 'the payments of a batch: one for each address';

COMMENT ON COLUMN payout_leaf.payout_id IS 'the batch';

COMMENT ON COLUMN payout_leaf.address IS 'who is paid, as checksum_address writes it; providers that share an address are paid together';

COMMENT ON COLUMN payout_leaf.amount IS 'base units';

COMMENT ON COLUMN payout_leaf.leaf IS 'merkle_leaf(address, amount), 32 bytes';

CREATE TABLE payout_line (
	payout_id bigint NOT NULL,
	epoch_id bigint NOT NULL,
	provider_id bigint NOT NULL,
	address text COLLATE "C" NOT NULL,
	amount numeric(78,0) NOT NULL,
	cancelled boolean NOT NULL DEFAULT false,
	PRIMARY KEY (payout_id, epoch_id, provider_id),
	CONSTRAINT payout_line_is_final_statement FOREIGN KEY (epoch_id, provider_id, amount) REFERENCES final_statement (epoch_id, provider_id, total),
	FOREIGN KEY (payout_id, address) REFERENCES payout_leaf,
	FOREIGN KEY (payout_id, cancelled) REFERENCES payout (payout_id, cancelled) ON UPDATE CASCADE
);

COMMENT ON TABLE payout_line IS 'which final statements a batch settles; a statement has at most one line that is not cancelled';

COMMENT ON COLUMN payout_line.payout_id IS 'the batch';

COMMENT ON COLUMN payout_line.epoch_id IS 'the epoch of the statement';

COMMENT ON COLUMN payout_line.provider_id IS 'its provider';

COMMENT ON COLUMN payout_line.address IS 'where it is paid to';

COMMENT ON COLUMN payout_line.amount IS 'total of the statement, base units; negative: set off against the provider''s other lines';

COMMENT ON COLUMN payout_line.cancelled IS 'follows payout.cancelled';

CREATE UNIQUE INDEX payout_line_once ON payout_line (epoch_id, provider_id) WHERE NOT cancelled;

COMMENT ON INDEX payout_line_once IS 'no money is paid twice: a final statement is in at most one batch that is not cancelled';

SELECT pg_catalog.pg_extension_config_dump('payout', '');

SELECT pg_catalog.pg_extension_config_dump('payout_payout_id_seq', '');

SELECT pg_catalog.pg_extension_config_dump('payout_leaf', '');

SELECT pg_catalog.pg_extension_config_dump('payout_line', '');

CREATE FUNCTION known_payout(id bigint) RETURNS payout
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	p payout;
BEGIN
	SELECT * INTO p FROM payout WHERE payout.payout_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('payout', $1);
	END IF;
	RETURN p;
END $$;
COMMENT ON FUNCTION known_payout(bigint) IS 'the batch of this key. Errors: there is none';

CREATE FUNCTION payout_balance(payout_id bigint)
RETURNS TABLE (rule text, wanted text, found text)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT 'lines', p.line_count::text, count(l.payout_id)::text
	FROM known_payout(payout_balance.payout_id) p LEFT JOIN payout_line l ON l.payout_id = p.payout_id GROUP BY p.line_count
	UNION ALL
	SELECT 'payments', p.leaf_count::text, count(l.payout_id)::text
	FROM payout p LEFT JOIN payout_leaf l ON l.payout_id = p.payout_id
	WHERE p.payout_id = payout_balance.payout_id GROUP BY p.payout_id
	UNION ALL
	SELECT 'the payments add up to the total', p.total::text, coalesce(sum(l.amount), 0)::text
	FROM payout p LEFT JOIN payout_leaf l ON l.payout_id = p.payout_id
	WHERE p.payout_id = payout_balance.payout_id GROUP BY p.payout_id
	UNION ALL
	SELECT 'payments that differ from the sum of their statements', '0', count(*)::text
	FROM (SELECT l.address FROM payout_leaf l LEFT JOIN payout_line s ON s.payout_id = l.payout_id AND s.address = l.address
		WHERE l.payout_id = payout_balance.payout_id
		GROUP BY l.payout_id, l.address HAVING l.amount <> coalesce(sum(s.amount), 0)) u
	UNION ALL
	SELECT 'providers with a balance that is not positive, or with several addresses', '0', count(*)::text
	FROM (SELECT s.provider_id FROM payout_line s WHERE s.payout_id = payout_balance.payout_id
		GROUP BY s.provider_id HAVING sum(s.amount) <= 0 OR min(s.address) <> max(s.address)) u
	UNION ALL
	SELECT 'statements of a later epoch', '0', count(*)::text
	FROM payout p JOIN epoch u ON u.epoch_id = p.up_to_epoch_id JOIN payout_line s ON s.payout_id = p.payout_id JOIN epoch e ON e.epoch_id = s.epoch_id
	WHERE p.payout_id = payout_balance.payout_id AND e.period > u.period
	UNION ALL
	SELECT 'root', encode(p.root, 'hex'), encode(merkle_root((SELECT array_agg(l.leaf) FROM payout_leaf l WHERE l.payout_id = p.payout_id)), 'hex')
	FROM payout p WHERE p.payout_id = payout_balance.payout_id;
END;

COMMENT ON FUNCTION payout_balance(bigint) IS
'the invariants of a batch: each rule with what is wanted and what is found, which must be equal. No row for NULL; errors: no such batch';

CREATE FUNCTION payout_guard() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	bad record;
	present boolean;
BEGIN
	IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
		IF TG_OP = 'TRUNCATE' THEN
			EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO present;
		ELSE
			present := EXISTS (SELECT FROM old_rows);
		END IF;
		IF present THEN
			RAISE EXCEPTION 'rows of % cannot be deleted', TG_TABLE_NAME
				USING ERRCODE = 'restrict_violation', HINT = 'cancel_payout() takes back a batch that has not been released.';
		END IF;
		RETURN NULL;
	END IF;

	IF TG_TABLE_NAME = 'payout' THEN	-- BEFORE UPDATE
		IF OLD.status <> 'draft' OR NEW.status = 'draft' OR
			(NEW.payout_id, NEW.up_to_epoch_id, NEW.line_count, NEW.leaf_count, NEW.total, NEW.root, NEW.created_at)
			IS DISTINCT FROM (OLD.payout_id, OLD.up_to_epoch_id, OLD.line_count, OLD.leaf_count, OLD.total, OLD.root, OLD.created_at) THEN
			RAISE EXCEPTION 'payout % is % and cannot be changed', OLD.payout_id, OLD.status
				USING ERRCODE = 'restrict_violation', HINT = 'A draft can be released or cancelled, once; nothing else changes.';
		END IF;
		IF NEW.status = 'released' THEN
			SELECT b.* INTO bad FROM payout_balance(NEW.payout_id) b WHERE b.wanted IS DISTINCT FROM b.found LIMIT 1;
			IF FOUND THEN
				RAISE EXCEPTION 'payout % does not balance: %', NEW.payout_id, bad.rule
					USING ERRCODE = 'check_violation', DETAIL = format('Wanted %s, found %s.', bad.wanted, bad.found);
			END IF;
		END IF;
		RETURN NEW;
	ELSIF TG_OP = 'UPDATE' THEN	-- of a line or a leaf, for each row
		IF TG_TABLE_NAME = 'payout_line' THEN
			-- the foreign key lets the flag be nothing but the batch's
			IF (NEW.payout_id, NEW.epoch_id, NEW.provider_id, NEW.address, NEW.amount) = (OLD.payout_id, OLD.epoch_id, OLD.provider_id, OLD.address, OLD.amount)
				AND NEW.cancelled AND NOT OLD.cancelled THEN
				RETURN NEW;
			END IF;
		END IF;
		RAISE EXCEPTION 'rows of % cannot be changed', TG_TABLE_NAME
			USING ERRCODE = 'restrict_violation', HINT = 'cancel_payout() takes back a batch that has not been released.';
	END IF;

	FOR bad IN
		SELECT p.payout_id, CASE TG_TABLE_NAME WHEN 'payout_line' THEN (SELECT count(*) FROM payout_line l WHERE l.payout_id = p.payout_id) - p.line_count
			ELSE (SELECT count(*) FROM payout_leaf l WHERE l.payout_id = p.payout_id) - p.leaf_count END AS excess
		FROM payout p WHERE p.payout_id IN (SELECT n.payout_id FROM new_rows n)
	LOOP
		IF bad.excess > 0 THEN
			RAISE EXCEPTION 'cannot add to payout %, which is complete', bad.payout_id USING ERRCODE = 'restrict_violation';
		END IF;
	END LOOP;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION payout_guard() IS
'trigger: a batch changes only from draft to released, when it must balance, or to cancelled; its lines and payments are only ever added, when it is made';

CREATE TRIGGER guard_update BEFORE UPDATE ON payout FOR EACH ROW EXECUTE FUNCTION payout_guard();

CREATE TRIGGER guard_update BEFORE UPDATE ON payout_leaf FOR EACH ROW EXECUTE FUNCTION payout_guard();

CREATE TRIGGER guard_update BEFORE UPDATE ON payout_line FOR EACH ROW EXECUTE FUNCTION payout_guard();

CREATE TRIGGER guard_insert AFTER INSERT ON payout_leaf REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION payout_guard();

CREATE TRIGGER guard_insert AFTER INSERT ON payout_line REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION payout_guard();

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['payout', 'payout_leaf', 'payout_line'] LOOP
		EXECUTE format('CREATE TRIGGER guard_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION payout_guard()', t);
		EXECUTE format('CREATE TRIGGER guard_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION payout_guard()', t);
	END LOOP;
END $$;

CREATE FUNCTION open_statement()
RETURNS TABLE (epoch_id bigint, period tstzrange, provider_id bigint, total numeric)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.epoch_id, e.period, s.provider_id, s.total
	FROM final_statement s JOIN epoch e ON e.epoch_id = s.epoch_id
	WHERE NOT EXISTS (SELECT FROM payout_line l WHERE l.epoch_id = s.epoch_id AND l.provider_id = s.provider_id AND NOT l.cancelled);
END;

COMMENT ON FUNCTION open_statement() IS
'final statements that are in no batch that is not cancelled, base units: their sum is what a provider is still to be paid, or owes';

CREATE FUNCTION make_payout(up_to_epoch_id bigint DEFAULT NULL, at_least numeric DEFAULT 1, note text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	last epoch;
	made payout;
BEGIN
	IF at_least IS NULL OR at_least IN ('NaN', 'Infinity') OR at_least < 1 THEN
		RAISE EXCEPTION 'the least payment % is not a finite number of at least 1', coalesce(at_least::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Nothing and less than nothing is never paid.';
	END IF;
	-- one at a time: the second finds nothing left
	PERFORM pg_advisory_xact_lock('payout'::regclass::oid::int, 0);
	IF up_to_epoch_id IS NULL THEN
		SELECT * INTO last FROM epoch e WHERE e.status = 'final' ORDER BY e.period DESC LIMIT 1;
	ELSE
		SELECT * INTO last FROM epoch e WHERE e.epoch_id = up_to_epoch_id;
		IF NOT FOUND THEN
			PERFORM unknown_id('epoch', up_to_epoch_id);
		END IF;
		IF last.status <> 'final' THEN
			RAISE EXCEPTION 'epoch % is %: only final statements are paid', up_to_epoch_id, last.status
				USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Wait until its challenge window has passed and it is final.';
		END IF;
	END IF;

	WITH open AS MATERIALIZED (
		SELECT s.*, s.period <= last.period AS due FROM open_statement() s
	), balance AS MATERIALIZED (
		SELECT o.provider_id, checksum_address(p.payout_address) AS address, sum(o.total) FILTER (WHERE o.due) AS amount
		FROM open o JOIN provider p ON p.provider_id = o.provider_id
		WHERE p.payout_address IS NOT NULL
		GROUP BY o.provider_id, p.payout_address
		-- who owes in later statements waits for a batch that has them
		HAVING sum(o.total) FILTER (WHERE o.due) >= at_least AND sum(o.total) >= sum(o.total) FILTER (WHERE o.due)
	), payment AS MATERIALIZED (
		SELECT b.address, sum(b.amount) AS amount, merkle_leaf(b.address, sum(b.amount)) AS leaf FROM balance b GROUP BY b.address
	), line AS MATERIALIZED (
		SELECT o.epoch_id, o.provider_id, b.address, o.total FROM open o JOIN balance b ON b.provider_id = o.provider_id WHERE o.due
	), head AS (
		INSERT INTO payout (up_to_epoch_id, line_count, leaf_count, total, root, note)
		SELECT last.epoch_id, (SELECT count(*) FROM line), count(*), sum(p.amount), merkle_root(array_agg(p.leaf)), make_payout.note
		FROM payment p HAVING count(*) > 0
		RETURNING *
	), put_leaf AS (
		INSERT INTO payout_leaf (payout_id, address, amount, leaf)
		SELECT h.payout_id, p.address, p.amount, p.leaf FROM head h, payment p
	), put_line AS (
		INSERT INTO payout_line (payout_id, epoch_id, provider_id, address, amount)
		SELECT h.payout_id, l.epoch_id, l.provider_id, l.address, l.total FROM head h, line l
	)
	SELECT h.* INTO made FROM head h;
	IF made.payout_id IS NULL THEN
		RAISE NOTICE 'nothing to pay: % final statements are open', (SELECT count(*) FROM open_statement());
	ELSE
		RAISE NOTICE 'payout %: % in % payments, a draft to be released or cancelled', made.payout_id, made.total, made.leaf_count;
	END IF;
	RETURN made.payout_id;
END $$;

COMMENT ON FUNCTION make_payout(bigint, numeric, text) IS
'makes a draft batch of the open final statements up to an epoch (NULL: the last final one) and returns its payout_id, NULL if there is nothing to pay. A provider is in it with all its open statements if they add up to at_least or more (base units, at least 1), if it has an address, and if its later final statements do not owe; everything else stays open for a later batch. Two at once wait for each other. Errors: no such epoch, not final, at_least below 1';

CREATE FUNCTION release_payout(payout_id bigint) RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	p payout;
BEGIN
	UPDATE payout SET status = 'released', released_at = clock_timestamp() WHERE payout.payout_id = $1 RETURNING * INTO p;
	IF NOT FOUND THEN
		PERFORM unknown_id('payout', $1);
	END IF;
	RETURN p.root;
END $$;

COMMENT ON FUNCTION release_payout(bigint) IS
'releases a draft batch to be paid, for good, and returns the root of its Merkle tree; from then on it can be exported. Errors: no such batch, not a draft, one that does not balance';

CREATE FUNCTION cancel_payout(payout_id bigint, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
	IF coalesce(btrim(reason, E' \t\r\n'), '') = '' THEN
		RAISE EXCEPTION 'a cancellation needs a reason'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is kept with the batch for whoever audits it.';
	END IF;
	PERFORM pg_advisory_xact_lock('payout'::regclass::oid::int, 0);
	UPDATE payout SET status = 'cancelled', cancelled = true, cancelled_at = clock_timestamp(), cancel_reason = reason WHERE payout.payout_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('payout', $1);
	END IF;
END $$;

COMMENT ON FUNCTION cancel_payout(bigint, text) IS
'takes back a draft batch: its statements are open again, its rows stay for whoever audits it. Errors: no such batch, not a draft, no reason';

CREATE FUNCTION released_payout(payout_id bigint) RETURNS payout
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	p payout := known_payout($1);
BEGIN
	IF p.status <> 'released' THEN
		RAISE EXCEPTION 'payout % is %: only a released one is handed out', $1, p.status
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = CASE p.status WHEN 'draft' THEN format('SELECT swarm_reward.release_payout(%s); it cannot be cancelled after that.', $1) ELSE 'Its statements may be in another batch.' END;
	END IF;
	RETURN p;
END $$;

COMMENT ON FUNCTION released_payout(bigint) IS 'the batch, if it has been released. Errors: no such batch, not released';

CREATE FUNCTION payout_csv(payout_id bigint) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT E'address,amount\n' || string_agg(l.address || ',' || l.amount || E'\n', '' ORDER BY l.address)
	FROM released_payout(payout_csv.payout_id) p JOIN payout_leaf l ON l.payout_id = p.payout_id;
END;

COMMENT ON FUNCTION payout_csv(bigint) IS
'a released batch as CSV: a header, then address and amount in base units of each payment, in the order of addresses, a line feed after each line. Errors: no such batch, not released';

CREATE FUNCTION payout_tree(payout_id bigint) RETURNS json
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT ('{"format":"standard-v1","leafEncoding":["address","uint256"],"tree":['
			|| (SELECT string_agg('"0x' || encode(t.node, 'hex') || '"', ',' ORDER BY t.place)
				FROM unnest(merkle_tree(array_agg(l.leaf))) WITH ORDINALITY t (node, place))
			|| '],"values":['
			|| string_agg('{"value":["' || l.address || '","' || l.amount || '"],"treeIndex":' || l.tree_index || '}', ',' ORDER BY l.address)
			|| ']}')::json
	FROM (SELECT l.address, l.amount, l.leaf, 2 * count(*) OVER () - 1 - row_number() OVER (ORDER BY l.leaf) AS tree_index
		FROM released_payout(payout_tree.payout_id) p JOIN payout_leaf l ON l.payout_id = p.payout_id) l;
END;

COMMENT ON FUNCTION payout_tree(bigint) IS
'the Merkle tree of a released batch as StandardMerkleTree.load() of npm''s @openzeppelin/merkle-tree reads it (what its dump() writes). Errors: no such batch, not released';

CREATE FUNCTION payout_proof(payout_id bigint, address text DEFAULT NULL)
RETURNS TABLE (address text, amount numeric, leaf bytea, tree_index bigint, proof bytea[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH l AS MATERIALIZED (
		SELECT l.address, l.amount, l.leaf, 2 * count(*) OVER () - 1 - row_number() OVER (ORDER BY l.leaf) AS tree_index
		FROM released_payout(payout_proof.payout_id) p JOIN payout_leaf l ON l.payout_id = p.payout_id
	), t AS MATERIALIZED (	-- nodes by place: 1 the root, 2i and 2i + 1 below i
		SELECT t.node, t.place FROM unnest(merkle_tree((SELECT array_agg(l.leaf) FROM l))) WITH ORDINALITY t (node, place)
	)
	SELECT w.address, w.amount, w.leaf, w.tree_index, coalesce(s.proof, '{}')
	FROM l w LEFT JOIN (
		-- an array of nodes holds less than 2^25: no way up is longer than 24
		SELECT x.tree_index, array_agg(t.node ORDER BY u.up) AS proof
		FROM l x CROSS JOIN generate_series(0, 24) u (up) JOIN t ON t.place = (((x.tree_index + 1) >> u.up) # 1)
		WHERE (x.tree_index + 1) >> u.up > 1 AND (payout_proof.address IS NULL OR x.address = checksum_address(payout_proof.address))
		GROUP BY x.tree_index) s ON s.tree_index = w.tree_index
	WHERE payout_proof.address IS NULL OR w.address = checksum_address(payout_proof.address)
	ORDER BY w.address;
END;

COMMENT ON FUNCTION payout_proof(bigint, text) IS
'the payments of a released batch, or the one to an address, with what a contract wants to see: amount in base units, leaf, its index in the tree (from 0, as in payout_tree), and the proof, hashes from the leaf upwards; no row for an address that is not paid. Errors: no such batch, not released, no address';

CREATE FUNCTION verify_payout(payout_id bigint)
RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	p payout := known_payout($1);
	bad bigint;
BEGIN
	RETURN QUERY SELECT b.rule, b.wanted IS NOT DISTINCT FROM b.found, format('wanted %s, found %s', b.wanted, b.found) FROM payout_balance($1) b;
	SELECT count(*) INTO bad
	FROM payout_line l LEFT JOIN LATERAL (SELECT s.total FROM final_statement s WHERE s.epoch_id = l.epoch_id AND s.provider_id = l.provider_id) s ON true
	WHERE l.payout_id = $1 AND l.amount IS DISTINCT FROM s.total;
	RETURN QUERY SELECT 'amounts of statements', bad = 0, format('%s lines differ from their statement', bad);
	SELECT count(*) INTO bad
	FROM (SELECT DISTINCT l.epoch_id FROM payout_line l WHERE l.payout_id = $1) e,
		LATERAL (SELECT FROM epoch_statement(e.epoch_id) a FULL JOIN (SELECT * FROM final_statement f WHERE f.epoch_id = e.epoch_id) s USING (provider_id)
			WHERE (a.earned, a.restated) IS DISTINCT FROM (s.earned, s.restated)) x;
	RETURN QUERY SELECT 'statements', bad = 0, format('%s statements differ from rewards and restatements', bad);
	SELECT count(*) INTO bad
	FROM payout_line l WHERE l.payout_id = $1 AND (SELECT count(*) FROM payout_line o
		WHERE o.epoch_id = l.epoch_id AND o.provider_id = l.provider_id AND NOT o.cancelled) > 1;
	RETURN QUERY SELECT 'paid once', bad = 0, format('%s statements are in several batches', bad);
	SELECT count(*) INTO bad FROM payout_leaf l WHERE l.payout_id = $1 AND l.leaf IS DISTINCT FROM merkle_leaf(l.address, l.amount);
	RETURN QUERY SELECT 'leaves', bad = 0, format('%s leaves are not the hash of their payment', bad);
	IF p.status = 'released' THEN
		SELECT count(*) INTO bad FROM payout_proof($1) x WHERE NOT merkle_verify(p.root, merkle_leaf(x.address, x.amount), x.proof);
		RETURN QUERY SELECT 'proofs', bad = 0, format('%s proofs do not lead to the root', bad);
	END IF;
END $$;

COMMENT ON FUNCTION verify_payout(bigint) IS
'checks a batch against its statements, these against rewards and restatements, and each proof against the root; one row per check, ok is false where something is wrong. Errors: no such batch';

CREATE VIEW provider_account AS
SELECT a.epoch_id, a.period, a.provider_id, p.name AS provider,
	sum(a.total - a.paid_out) OVER w - a.total + a.paid_out AS carried_in, a.earned, a.restated, a.payout_id, a.paid_out,
	sum(a.total - a.paid_out) OVER w AS balance
FROM (SELECT s.epoch_id, e.period, s.provider_id, s.earned, s.restated, s.total, l.payout_id,
		CASE WHEN l.payout_id IS NOT NULL AND row_number() OVER (PARTITION BY s.provider_id, l.payout_id ORDER BY e.period DESC) = 1
			THEN sum(s.total) OVER (PARTITION BY s.provider_id, l.payout_id) ELSE 0 END AS paid_out
	FROM final_statement s JOIN epoch e ON e.epoch_id = s.epoch_id
		LEFT JOIN payout_line l ON l.epoch_id = s.epoch_id AND l.provider_id = s.provider_id AND NOT l.cancelled) a
	JOIN provider p ON p.provider_id = a.provider_id
WINDOW w AS (PARTITION BY a.provider_id ORDER BY a.period);

COMMENT ON VIEW provider_account IS 'the account of each provider, one row for each final statement: what is carried in, earned, restated and paid out, and the balance after it, base units. A negative balance is carried until later statements make up for it';

COMMENT ON COLUMN provider_account.epoch_id IS 'the epoch';

COMMENT ON COLUMN provider_account.period IS 'its period';

COMMENT ON COLUMN provider_account.provider_id IS 'the provider';

COMMENT ON COLUMN provider_account.provider IS 'its name';

COMMENT ON COLUMN provider_account.carried_in IS 'balance after the statement before, 0 before the first';

COMMENT ON COLUMN provider_account.earned IS 'rewards of the epoch';

COMMENT ON COLUMN provider_account.restated IS 'corrections of earlier epochs posted in it, signed';

COMMENT ON COLUMN provider_account.payout_id IS 'the batch, a draft or released, that settles this statement; NULL: none yet';

COMMENT ON COLUMN provider_account.paid_out IS 'the payment of that batch, shown at the last statement it settles';

COMMENT ON COLUMN provider_account.balance IS 'carried_in + earned + restated - paid_out';

CREATE VIEW provider_balance AS
SELECT p.provider_id, p.name AS provider, p.payout_address, coalesce(s.earned, 0) AS earned, coalesce(s.restated, 0) AS restated,
	coalesce(s.released, 0) AS released, coalesce(s.drafted, 0) AS drafted, coalesce(s.balance, 0) AS balance,
	CASE WHEN coalesce(s.balance, 0) <= 0 THEN 'a positive balance' WHEN p.payout_address IS NULL THEN 'an address' ELSE 'the next batch' END AS waits_for
FROM provider p LEFT JOIN (
	SELECT f.provider_id, sum(f.earned) AS earned, sum(f.restated) AS restated, sum(f.total) FILTER (WHERE b.status = 'released') AS released,
		sum(f.total) FILTER (WHERE b.status = 'draft') AS drafted, sum(f.total) FILTER (WHERE b.status IS NULL) AS balance
	FROM final_statement f
		LEFT JOIN payout_line l ON l.epoch_id = f.epoch_id AND l.provider_id = f.provider_id AND NOT l.cancelled
		LEFT JOIN payout b ON b.payout_id = l.payout_id
	GROUP BY f.provider_id) s ON s.provider_id = p.provider_id;

COMMENT ON VIEW provider_balance IS 'what each provider was credited in final statements, what of it is paid, and what is still open, base units';

COMMENT ON COLUMN provider_balance.provider_id IS 'the provider';

COMMENT ON COLUMN provider_balance.provider IS 'its name';

COMMENT ON COLUMN provider_balance.payout_address IS 'where it is paid; NULL: not known, the balance waits';

COMMENT ON COLUMN provider_balance.earned IS 'rewards of all final epochs';

COMMENT ON COLUMN provider_balance.restated IS 'corrections posted in them, signed';

COMMENT ON COLUMN provider_balance.released IS 'in released batches';

COMMENT ON COLUMN provider_balance.drafted IS 'in drafts';

COMMENT ON COLUMN provider_balance.balance IS 'open: earned + restated - released - drafted; negative: owed by the provider, set off against later statements, never paid';

COMMENT ON COLUMN provider_balance.waits_for IS 'what the open balance waits for: a positive balance, an address, or the next batch';

CREATE TABLE epoch_failure (
	failure_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
	epoch_id bigint NOT NULL REFERENCES epoch ON DELETE CASCADE,
	action text NOT NULL CHECK (action IN ('compute', 'finalize')),
	attempts int NOT NULL DEFAULT 1 CHECK (attempts >= 1),
	first_failed_at timestamptz NOT NULL,
	last_failed_at timestamptz NOT NULL,
	sqlstate text NOT NULL,
	message text NOT NULL,
	detail text,
	hint text,
	context text,
	mended_at timestamptz
);

COMMENT ON TABLE epoch_failure IS 'epochs that run_due_epochs could not compute or make final, with the error; one not mended blocks the epochs after it. Each call tries again, so that mending the cause is enough';

COMMENT ON COLUMN epoch_failure.failure_id IS 'key';

COMMENT ON COLUMN epoch_failure.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_failure.action IS 'what failed: compute or finalize';

COMMENT ON COLUMN epoch_failure.attempts IS 'calls of run_due_epochs that failed so';

COMMENT ON COLUMN epoch_failure.first_failed_at IS 'when it first did';

COMMENT ON COLUMN epoch_failure.last_failed_at IS 'when it last did; the error is that of the last time';

COMMENT ON COLUMN epoch_failure.sqlstate IS 'code of the error';

COMMENT ON COLUMN epoch_failure.message IS 'the error';

COMMENT ON COLUMN epoch_failure.detail IS 'its detail; NULL: none';

COMMENT ON COLUMN epoch_failure.hint IS 'its hint; NULL: none';

COMMENT ON COLUMN epoch_failure.context IS 'where in the code it happened; NULL: not known';

COMMENT ON COLUMN epoch_failure.mended_at IS 'when the epoch was computed or became final after all; NULL: not mended, the epochs after it wait';

CREATE UNIQUE INDEX epoch_failure_open_idx ON epoch_failure (epoch_id) WHERE mended_at IS NULL;

CREATE INDEX epoch_failure_epoch_idx ON epoch_failure (epoch_id);

SELECT pg_catalog.pg_extension_config_dump('epoch_failure', '');

SELECT pg_catalog.pg_extension_config_dump('epoch_failure_failure_id_seq', '');

CREATE FUNCTION epoch_mend() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	UPDATE @extschema@.epoch_failure f SET mended_at = clock_timestamp() WHERE f.epoch_id = NEW.epoch_id AND f.mended_at IS NULL;
	RETURN NULL;
END $$;

COMMENT ON FUNCTION epoch_mend() IS 'trigger: an epoch that becomes computed or final has no failure any more';

CREATE TRIGGER epoch_mend AFTER UPDATE ON epoch FOR EACH ROW WHEN (OLD.status <> NEW.status AND NEW.status IN ('computed', 'final'))
EXECUTE FUNCTION epoch_mend();

CREATE FUNCTION epoch_final_from(epoch_id bigint) RETURNS timestamptz
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT (e.computed_at AT TIME ZONE 'UTC' + p.challenge_window) AT TIME ZONE 'UTC'
	FROM epoch e JOIN policy p ON p.policy_id = e.policy_id
	WHERE e.epoch_id = (SELECT (known_epoch(epoch_final_from.epoch_id)).epoch_id) AND e.status = 'computed';
END;
COMMENT ON FUNCTION epoch_final_from(bigint) IS
'when the challenge window of a computed epoch ends: computed_at plus the policy''s challenge_window, days being 24 hours. NULL for NULL and for an epoch that is not computed; errors: no such epoch';

CREATE PROCEDURE finalize_epoch(epoch_id bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	bad record;
BEGIN
	IF NOT try_epoch_lock() THEN
		RAISE EXCEPTION 'another session is computing an epoch'
			USING ERRCODE = 'lock_not_available', HINT = 'Try again when it has finished.';
	END IF;
	SELECT * INTO e FROM epoch WHERE epoch.epoch_id = $1 FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM unknown_id('epoch', $1);
	END IF;
	IF e.status <> 'computed' THEN
		RAISE EXCEPTION 'epoch % cannot become final: it is %', $1, e.status
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = CASE e.status WHEN 'final' THEN 'Corrections of a final epoch are rows of restatement.' ELSE format('CALL swarm_reward.run_epoch(%s) first.', $1) END;
	END IF;
	IF epoch_final_from($1) > now() THEN
		RAISE EXCEPTION 'epoch % cannot become final: its challenge window ends at %', $1, epoch_final_from($1)
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'The window is policy.challenge_window after epoch.computed_at.';
	END IF;
	PERFORM epoch_phase($1, 'verify');
	SELECT string_agg(v.check_name || coalesce(' (' || v.detail || ')', ''), '; ') AS list, count(*) AS n INTO bad
	FROM verify_epoch($1) v WHERE v.ok IS NOT TRUE;
	IF bad.n > 0 THEN
		RAISE EXCEPTION 'epoch % cannot become final: % of its checks fail', $1, bad.n
			USING ERRCODE = 'data_corrupted', DETAIL = bad.list, HINT = format('Look at swarm_reward.verify_epoch(%s), then CALL swarm_reward.run_epoch(%s).', $1, $1);
	END IF;
	UPDATE epoch SET status = 'final', final_at = clock_timestamp() WHERE epoch.epoch_id = $1;
	PERFORM epoch_phase($1, '');
	RAISE NOTICE 'epoch %: final', $1;
END $$;

COMMENT ON PROCEDURE finalize_epoch(bigint) IS
'makes a computed epoch final for ever, in one transaction, after verify_epoch has passed in full. Errors: no such epoch, not computed, its challenge window has not ended, the epoch before it is not final, a check fails, another session computing';

CREATE FUNCTION next_epoch_step(OUT epoch_id bigint, OUT action text, OUT computes boolean)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	e record;
	late record;
BEGIN
	SELECT c.epoch_id INTO e FROM epoch c WHERE c.status <> 'final' ORDER BY c.period LIMIT 1;
	IF FOUND AND epoch_final_from(e.epoch_id) <= now() THEN
		SELECT * INTO late FROM late_telemetry(e.epoch_id);
		computes := late.came > 0 OR late.gone > 0;
		epoch_id := e.epoch_id;
		action := CASE WHEN computes THEN 'compute' ELSE 'finalize' END;
		RETURN;
	END IF;
	SELECT c.epoch_id INTO e FROM epoch c WHERE c.status IN ('planned', 'open') ORDER BY c.period LIMIT 1;
	IF FOUND AND epoch_closes_at(e.epoch_id) <= now() THEN
		epoch_id := e.epoch_id;
		action := 'compute';
		computes := true;
	END IF;
END $$;

COMMENT ON FUNCTION next_epoch_step() IS
'what run_due_epochs does next: finalize the first epoch that is not final, if its challenge window has ended (or compute it again, if telemetry has come or gone since it was computed), else compute the first that is not computed, if its grace period has ended (see epoch_closes_at()); NULL: nothing is due';

CREATE FUNCTION record_epoch_failure(epoch_id bigint, action text, sqlstate text, message text, detail text, hint text, context text,
	OUT what text, OUT more text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	state text := (SELECT e.status FROM epoch e WHERE e.epoch_id = record_epoch_failure.epoch_id);
	tries int;
	since timestamptz;
BEGIN
	PERFORM (known_epoch(record_epoch_failure.epoch_id)).epoch_id;
	INSERT INTO epoch_failure AS f (epoch_id, action, first_failed_at, last_failed_at, sqlstate, message, detail, hint, context)
	VALUES (record_epoch_failure.epoch_id, record_epoch_failure.action, clock_timestamp(), clock_timestamp(), record_epoch_failure.sqlstate,
		left(record_epoch_failure.message, 10000), left(nullif(record_epoch_failure.detail, ''), 10000),
		left(nullif(record_epoch_failure.hint, ''), 10000), left(nullif(record_epoch_failure.context, ''), 10000))
	ON CONFLICT (epoch_id) WHERE mended_at IS NULL DO UPDATE
		SET attempts = f.attempts + 1, last_failed_at = excluded.last_failed_at, action = excluded.action, sqlstate = excluded.sqlstate,
			message = excluded.message, detail = excluded.detail, hint = excluded.hint, context = excluded.context
	RETURNING f.attempts, f.first_failed_at INTO tries, since;
	-- a notification has at most 7999 bytes
	PERFORM pg_notify('swarm_reward', jsonb_build_object('epoch_id', record_epoch_failure.epoch_id, 'status', state, 'failed', record_epoch_failure.action,
		'attempts', tries, 'sqlstate', record_epoch_failure.sqlstate, 'error', left(record_epoch_failure.message, 500))::text);
	what := format('epoch %s: %s failed: %s', record_epoch_failure.epoch_id, record_epoch_failure.action, record_epoch_failure.message);
	more := concat_ws(' ', nullif(record_epoch_failure.detail, ''), nullif(record_epoch_failure.hint, ''), format('Attempt %s, the first was at %s.', tries, since));
END $$;
COMMENT ON FUNCTION record_epoch_failure(bigint, text, text, text, text, text, text) IS
'run_due_epochs step: writes epoch_failure, counts the attempts, tells who listens to swarm_reward, and returns what to say of it and of its cause';

CREATE PROCEDURE run_due_epochs()
LANGUAGE plpgsql AS $$
DECLARE
	step record;
	retries bigint;
	computed bigint := 0;
	finalized bigint := 0;
	failed boolean;
	passing boolean;
	failure record;
	e_state pg_catalog.text;
	e_message pg_catalog.text;
	e_detail pg_catalog.text;
	e_hint pg_catalog.text;
	e_context pg_catalog.text;
BEGIN
	IF NOT @extschema@.can_commit() THEN
		RAISE EXCEPTION 'run_due_epochs() cannot run inside a transaction block'
			USING ERRCODE = 'active_sql_transaction',
				DETAIL = 'Each epoch commits on its own, so that a failure keeps what was done before it.',
				HINT = 'CALL it on its own: not between BEGIN and COMMIT, not from a function or a block with EXCEPTION, and with autocommit on.';
	END IF;
	IF pg_catalog.pg_is_in_recovery() THEN
		RAISE NOTICE 'this server is a standby: epochs are computed on its primary';
		RETURN;
	END IF;
	retries := 0;
	LOOP
		COMMIT;
		IF NOT @extschema@.try_epoch_lock() THEN
			RAISE NOTICE 'another session is computing epochs; this one leaves the rest to it'
				USING HINT = 'See the view swarm_reward.epoch_progress.';
			RETURN;
		END IF;
		SELECT * INTO step FROM @extschema@.next_epoch_step();
		EXIT WHEN step.epoch_id IS NULL;
		failed := false;
		passing := false;
		BEGIN
			IF step.computes THEN
				CALL @extschema@.run_epoch(step.epoch_id);
			ELSE
				CALL @extschema@.finalize_epoch(step.epoch_id);
			END IF;
		EXCEPTION
			WHEN serialization_failure OR deadlock_detected OR lock_not_available THEN
				GET STACKED DIAGNOSTICS e_state = RETURNED_SQLSTATE, e_message = MESSAGE_TEXT, e_detail = PG_EXCEPTION_DETAIL,
					e_hint = PG_EXCEPTION_HINT, e_context = PG_EXCEPTION_CONTEXT;
				failed := true;
				passing := true;
			WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS e_state = RETURNED_SQLSTATE, e_message = MESSAGE_TEXT, e_detail = PG_EXCEPTION_DETAIL,
					e_hint = PG_EXCEPTION_HINT, e_context = PG_EXCEPTION_CONTEXT;
				failed := true;
		END;
		IF failed AND passing AND pg_catalog.int8lt(retries, 2) THEN
			retries := pg_catalog.int8inc(retries);
			RAISE NOTICE 'epoch %: %; trying again', step.epoch_id, e_message;
			ROLLBACK;
			CONTINUE;
		END IF;
		IF failed THEN
			ROLLBACK;
			SELECT * INTO failure FROM @extschema@.record_epoch_failure(step.epoch_id, step.action, e_state, e_message, e_detail, e_hint, e_context);
			COMMIT;
			RAISE EXCEPTION '%', failure.what USING ERRCODE = e_state, DETAIL = failure.more,
				HINT = 'It is recorded in swarm_reward.epoch_failure, and no later epoch is touched before it is mended.';
		END IF;
		retries := 0;
		IF step.computes THEN
			computed := pg_catalog.int8inc(computed);
		ELSE
			finalized := pg_catalog.int8inc(finalized);
		END IF;
	END LOOP;
	COMMIT;
	RAISE NOTICE '% epochs computed, % made final', computed, finalized;
END $$;

COMMENT ON PROCEDURE run_due_epochs() IS
'for schedulers: makes every computed epoch final whose challenge window has ended, after computing it again where telemetry came late, and computes every epoch whose grace period has ended, strictly in order, each in a transaction of its own, until nothing is due. While another session does so it returns at once, with a NOTICE. An epoch that fails (after three attempts where the error is a deadlock, a lock timeout or a serialization failure) is recorded in epoch_failure, notified, and raised again; the epochs after it wait, and the next call tries it again. Errors: called inside a transaction block; the error of an epoch';

CREATE FUNCTION plan_epochs(until timestamptz, length interval, budget numeric DEFAULT NULL, start timestamptz DEFAULT NULL) RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
	at timestamptz;
	made int := 0;
BEGIN
	IF until IS NULL OR NOT isfinite(until) OR NOT isfinite(start) THEN
		RAISE EXCEPTION 'cannot plan epochs from % until %', start, until
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a finite time.';
	END IF;
	IF length IS NULL OR length < interval '1 second' THEN
		RAISE EXCEPTION 'cannot plan epochs of length %', length
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a length of at least a second, for example ''1 day'' or ''1 month''.';
	END IF;
	IF budget < 0 OR budget > 1e37 OR budget <> trunc(budget) THEN
		RAISE EXCEPTION 'cannot plan epochs with the budget %', budget
			USING ERRCODE = 'invalid_parameter_value', HINT = 'A budget is a whole number of base units from 0 to 10^37.';
	END IF;
	-- two planners at once would find the same end
	PERFORM pg_advisory_xact_lock('epoch'::regclass::oid::int, 1);
	SELECT max(upper(e.period)) INTO at FROM epoch e;
	IF at IS NULL THEN
		IF start IS NULL THEN
			RAISE EXCEPTION 'there is no epoch yet to go on from'
				USING ERRCODE = 'invalid_parameter_value', HINT = 'Give the start of the first as fourth argument.';
		END IF;
		at := start;
	END IF;
	IF extract(epoch FROM until - at) > 100000 * extract(epoch FROM length) THEN
		RAISE EXCEPTION 'from % until % there are more than 100000 epochs of %', at, until, length
			USING ERRCODE = 'program_limit_exceeded', HINT = 'Plan fewer, or longer ones.';
	END IF;
	-- counted from the first, so that months that are cut short do not stay short
	WHILE at + made * length < until LOOP
		INSERT INTO epoch (period, budget) VALUES (tstzrange(at + made * length, at + (made + 1) * length), plan_epochs.budget);
		made := made + 1;
	END LOOP;
	RETURN made;
END $$;

COMMENT ON FUNCTION plan_epochs(timestamptz, interval, numeric, timestamptz) IS
'plans epochs of one length and budget (base units; NULL: the emission of the policy), one after the other without a gap, from the end of the last one (or, where there is none, from start) until every time before until is in one; returns how many. Months and days are those of UTC, counted from the first of the call. Safe to repeat. Errors: no epoch and no start, a length below a second, a budget that is not a whole number from 0 to 10^37, no budget and no emission, more than 100000 epochs';

CREATE VIEW epoch_progress AS
WITH run AS (
	SELECT l.pid, i.last_value AS epoch_id, n.last_value AS phase_no, r.last_value AS rows_written,
		to_timestamp(s.last_value / 1000000.0) AS started_at, to_timestamp(p.last_value / 1000000.0) AS phase_started_at
	FROM pg_locks l, progress_pid o, progress_epoch i, progress_phase n, progress_rows r, progress_started s, progress_phase_started p
	WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 'epoch'::regclass AND l.objid = 0 AND l.objsubid = 2
		AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		AND l.pid = o.last_value AND n.last_value > 0
), pattern AS (	-- the epoch computed last
	SELECT f.phase_no, f.phase, t.duration
	FROM epoch_phases() f JOIN epoch_timing t ON t.phase = f.phase
	WHERE t.epoch_id = (SELECT x.epoch_id FROM epoch_timing x WHERE x.phase = 'seal' ORDER BY x.started_at DESC LIMIT 1)
)
SELECT e.epoch_id, e.period, e.status,
	CASE WHEN r.pid IS NOT NULL THEN 'running' WHEN f.failure_id IS NOT NULL THEN 'failed'
		WHEN EXISTS (SELECT FROM epoch_failure x JOIN epoch y ON y.epoch_id = x.epoch_id
			WHERE x.mended_at IS NULL AND y.period < e.period) THEN 'blocked' ELSE 'waiting' END AS state,
	r.pid, a.phase, r.phase_no::int AS phase_no, CASE WHEN r.pid IS NOT NULL THEN (SELECT count(*)::int FROM epoch_phases()) END AS phases,
	r.rows_written AS rows, r.started_at, clock_timestamp() - r.started_at AS elapsed,
	CASE WHEN r.pid IS NULL THEN (SELECT sum(b.duration) FROM pattern b)
		WHEN EXISTS (SELECT FROM pattern) THEN
			coalesce((SELECT sum(b.duration) FROM pattern b WHERE b.phase_no > r.phase_no), interval '0')
			+ greatest((SELECT b.duration FROM pattern b WHERE b.phase_no = r.phase_no) - (clock_timestamp() - r.phase_started_at), interval '0')
	END AS estimate,
	f.attempts, f.last_failed_at, f.message AS error
FROM epoch e
	LEFT JOIN run r ON r.epoch_id = e.epoch_id
	LEFT JOIN epoch_phases() a ON a.phase_no = r.phase_no
	LEFT JOIN epoch_failure f ON f.epoch_id = e.epoch_id AND f.mended_at IS NULL
WHERE r.pid IS NOT NULL OR f.failure_id IS NOT NULL OR (e.status IN ('planned', 'open') AND epoch_closes_at(e.epoch_id) <= now());

COMMENT ON VIEW epoch_progress IS 'epochs that are being worked on, are due, or failed, live from any session; empty when everything that is due is done';

COMMENT ON COLUMN epoch_progress.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_progress.period IS 'its period';

COMMENT ON COLUMN epoch_progress.status IS 'its status as committed: an epoch that is being computed is still planned';

COMMENT ON COLUMN epoch_progress.state IS 'running; failed (see error); blocked (an earlier one failed); waiting (due, but not begun)';

COMMENT ON COLUMN epoch_progress.pid IS 'process id of the session that works on it; NULL unless running';

COMMENT ON COLUMN epoch_progress.phase IS 'what it does, see epoch_phases(); NULL unless running';

COMMENT ON COLUMN epoch_progress.phase_no IS 'number of the phase; NULL unless running';

COMMENT ON COLUMN epoch_progress.phases IS 'how many phases there are; NULL unless running';

COMMENT ON COLUMN epoch_progress.rows IS 'rows written by the phases that are done; NULL unless running';

COMMENT ON COLUMN epoch_progress.started_at IS 'when it was begun; NULL unless running';

COMMENT ON COLUMN epoch_progress.elapsed IS 'time since then; NULL unless running';

COMMENT ON COLUMN epoch_progress.estimate IS 'time it will still take, if every phase takes as long as in the epoch computed last; NULL before the first';

COMMENT ON COLUMN epoch_progress.attempts IS 'calls of run_due_epochs that failed on it; NULL: none';

COMMENT ON COLUMN epoch_progress.last_failed_at IS 'when it last failed; NULL: it did not';

COMMENT ON COLUMN epoch_progress.error IS 'error of the last attempt; NULL: it did not fail';

CREATE FUNCTION is_crontab(schedule text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT schedule ~* '^\s*(@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|([1-9]|[1-5][0-9]) seconds?)\s*$'
		OR (SELECT count(DISTINCT f.n) = 5 AND bool_and(CASE
				WHEN k.names IS NOT NULL AND i.item ~* format('^(%1$s)(-(%1$s))?$', k.names) THEN true
				WHEN f.n = 3 AND i.item = '$' THEN true
				ELSE coalesce(i.part IS NOT NULL AND coalesce(i.part[1]::int BETWEEN k.lowest AND k.highest, true)
					AND coalesce(i.part[2]::int BETWEEN i.part[1]::int AND k.highest, true) AND coalesce(i.part[3]::int BETWEEN 1 AND k.highest, true), false) END)
			FROM (SELECT t.field, t.n FROM regexp_split_to_table(btrim(schedule, E' \t\n'), '\s+') WITH ORDINALITY t (field, n)) f
				LEFT JOIN (VALUES (1, 0, 59, NULL), (2, 0, 23, NULL), (3, 1, 31, NULL), (4, 1, 12, 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'),
					(5, 0, 7, 'sun|mon|tue|wed|thu|fri|sat')) k (n, lowest, highest, names) ON k.n = f.n,
				LATERAL (SELECT s.item, regexp_match(s.item, '^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$') AS part FROM regexp_split_to_table(f.field, ',') s (item)) i);
END;
COMMENT ON FUNCTION is_crontab(text) IS
'may it be a schedule as crontab(5) and pg_cron have them: minute, hour, day of the month ($: the last), month, day of the week; or @hourly and the like, or 1 to 59 seconds. NULL for NULL';

CREATE FUNCTION job_list(epochs text DEFAULT '*/5 * * * *', partitions_ahead interval DEFAULT '7 days',
	plan_length interval DEFAULT NULL, plan_budget numeric DEFAULT NULL, plan_ahead interval DEFAULT NULL,
	telemetry_retention interval DEFAULT NULL)
RETURNS TABLE (job_name text, schedule text, command text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF epochs IS NULL OR partitions_ahead IS NULL OR partitions_ahead < interval '1 day' THEN
		RAISE EXCEPTION 'cannot schedule epochs at % with telemetry partitions % ahead', coalesce(quote_literal(epochs), 'NULL'), coalesce(partitions_ahead::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a crontab schedule, for example ''*/5 * * * *'', and at least a day.';
	END IF;
	IF NOT is_crontab(epochs) THEN
		RAISE EXCEPTION 'invalid schedule: %', quote_literal(epochs)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give minute, hour, day of the month, month and day of the week, as in crontab, for example ''*/5 * * * *''.';
	END IF;
	IF plan_length IS NULL AND (plan_budget IS NOT NULL OR plan_ahead IS NOT NULL) THEN
		RAISE EXCEPTION 'cannot plan epochs with budget % for % ahead without a length', coalesce(plan_budget::text, 'NULL'), coalesce(plan_ahead::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give plan_length too, or neither to plan epochs by hand.';
	END IF;
	IF plan_length < interval '1 second' OR plan_ahead < interval '0' THEN
		RAISE EXCEPTION 'cannot plan epochs of length % for % ahead', plan_length, coalesce(plan_ahead, 2 * plan_length)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a length of at least a second, for example ''1 day'' or ''1 month''.';
	END IF;
	RETURN QUERY SELECT 'swarm_reward epochs', epochs, 'CALL @extschema@.run_due_epochs()';
	RETURN QUERY SELECT 'swarm_reward hours', '7 * * * *', 'CALL @extschema@.roll_telemetry()';
	RETURN QUERY SELECT 'swarm_reward partitions', '17 1,13 * * *', format('SELECT @extschema@.keep_telemetry_partitions(%L, %L)', partitions_ahead, telemetry_retention);
	IF plan_length IS NOT NULL THEN
		RETURN QUERY SELECT 'swarm_reward plan', epochs, format('SELECT @extschema@.plan_epochs(now() + %L::interval, %L, %L, %L)',
			coalesce(plan_ahead, 2 * plan_length), plan_length, plan_budget, date_trunc('day', now(), 'UTC'));
	END IF;
END $$;

COMMENT ON FUNCTION job_list(text, interval, interval, numeric, interval, interval) IS
'the jobs of schedule_jobs, with the same arguments: name, schedule, command; for schedulers other than pg_cron. Times are those of the scheduler. Errors: epochs is no schedule of crontab, less than a day ahead, a plan without a length';

CREATE FUNCTION check_cron(jobs text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	home text;
BEGIN
	IF EXISTS (SELECT FROM pg_extension x WHERE x.extname = 'pg_cron') THEN
		IF NOT has_schema_privilege('cron', 'USAGE') THEN
			RAISE EXCEPTION 'permission denied to schedule jobs'
				USING ERRCODE = 'insufficient_privilege', HINT = format('A superuser can GRANT USAGE ON SCHEMA cron TO %I.', current_user);
		END IF;
		RETURN;
	END IF;
	BEGIN
		home := current_setting('cron.database_name', true);
	EXCEPTION WHEN insufficient_privilege THEN
		home := NULL;
	END;
	IF home IS NULL THEN
		RAISE EXCEPTION 'pg_cron is not available in this database'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Put pg_cron into shared_preload_libraries, set cron.database_name, restart, and CREATE EXTENSION pg_cron; or let any other scheduler CALL @extschema@.run_due_epochs().';
	ELSIF home = current_database() THEN
		RAISE EXCEPTION 'the extension pg_cron is not installed'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CREATE EXTENSION pg_cron.';
	END IF;
	RAISE EXCEPTION 'pg_cron runs from database %, not from this one', quote_ident(home)
		USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Jobs for this database are scheduled there.',
			HINT = format('In database %I: %s', home, coalesce(jobs, format('SELECT cron.unschedule(jobid) FROM cron.job WHERE database = %L AND jobname LIKE ''swarm_reward %%'';', current_database())));
END $$;

COMMENT ON FUNCTION check_cron(text) IS 'error, with what to do, unless the current user can schedule jobs of pg_cron from this database';

CREATE FUNCTION schedule_jobs(epochs text DEFAULT '*/5 * * * *', partitions_ahead interval DEFAULT '7 days',
	plan_length interval DEFAULT NULL, plan_budget numeric DEFAULT NULL, plan_ahead interval DEFAULT NULL,
	telemetry_retention interval DEFAULT NULL)
RETURNS TABLE (job_id bigint, job_name text, schedule text, command text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	j record;
BEGIN
	PERFORM check_cron((SELECT string_agg(format('SELECT cron.schedule_in_database(%L, %L, %L, %L);', l.job_name || ' of ' || current_database(), l.schedule, l.command, current_database()), ' ')
		FROM job_list($1, $2, $3, $4, $5, $6) l));
	EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c WHERE c.database = current_database() AND c.username = current_user
		AND c.jobname LIKE ''swarm_reward %'' AND c.jobname <> ALL ($1)'
	USING (SELECT array_agg(l.job_name) FROM job_list($1, $2, $3, $4, $5, $6) l);
	FOR j IN SELECT l.* FROM job_list($1, $2, $3, $4, $5, $6) l LOOP
		job_name := j.job_name;
		schedule := j.schedule;
		command := j.command;
		EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING j.job_name, j.schedule, j.command;
		RETURN NEXT;
	END LOOP;
END $$;

COMMENT ON FUNCTION schedule_jobs(text, interval, interval, numeric, interval, interval) IS
'has pg_cron do, as the current user, what must be done for ever: CALL run_due_epochs() (epochs: when, as in crontab, in the time zone of pg_cron), roll up telemetry every hour, make telemetry partitions partitions_ahead of now and drop those past telemetry_retention (NULL: none; see keep_telemetry_partitions()) twice a day and, where plan_length is given, plan epochs with the budget plan_budget (base units; NULL: the emission of the policy) until plan_ahead from now (by default two lengths). Safe to repeat: the last call counts. Errors, each with what to do: pg_cron is not there, runs from another database, or is not for the current user; a schedule it does not understand';

CREATE FUNCTION unschedule_jobs() RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	n int;
BEGIN
	PERFORM check_cron();
	EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c WHERE c.database = current_database() AND c.jobname LIKE ''swarm_reward %''' INTO n;
	RETURN n;
END $$;

COMMENT ON FUNCTION unschedule_jobs() IS
'takes the jobs of schedule_jobs out of pg_cron: the current user''s, or everybody''s for a superuser; returns how many there were. Errors: as schedule_jobs, where pg_cron cannot be used';

CREATE FUNCTION sees_all_rewards() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT has_table_privilege('@extschema@.node_reward', 'SELECT');
END;

COMMENT ON FUNCTION sees_all_rewards() IS
'may the current user read the view node_reward, and with it the rewards and statements of all providers';

CREATE FUNCTION provider_of_role(role_name name) RETURNS bigint[]
LANGUAGE sql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
	SELECT coalesce(array_agg(p.provider_id ORDER BY p.provider_id), '{}')
	FROM provider p JOIN pg_catalog.pg_roles r ON r.rolname = p.role_name
	WHERE EXISTS (SELECT FROM pg_catalog.pg_roles m WHERE m.rolname = provider_of_role.role_name)
		AND pg_catalog.pg_has_role(provider_of_role.role_name, r.oid, 'USAGE');
END;

COMMENT ON FUNCTION provider_of_role(name) IS
'providers whose provider.role_name is this role or one whose rights it has; empty: none. NULL for NULL';

ALTER TABLE reward ENABLE ROW LEVEL SECURITY;

ALTER TABLE reward_part ENABLE ROW LEVEL SECURITY;

ALTER TABLE restatement ENABLE ROW LEVEL SECURITY;

ALTER TABLE final_statement ENABLE ROW LEVEL SECURITY;

ALTER TABLE payout_line ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_rows ON reward FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));

CREATE POLICY own_rows ON reward_part FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));

CREATE POLICY own_rows ON restatement FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));

CREATE POLICY own_rows ON final_statement FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));

CREATE POLICY own_rows ON payout_line FOR SELECT
	USING ((SELECT sees_all_rewards()) OR provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[]));

CREATE VIEW provider_statement WITH (security_barrier) AS
SELECT s.epoch_id, e.period, e.status, s.provider_id, p.name AS provider,
	s.nodes, s.new_regions, s.coverage_gaps, s.resource_types, s.network_capacity, s.service_types, s.specialization,
	s.earned, s.restated, s.earned + s.restated AS total
FROM (SELECT u.epoch_id, u.provider_id, count(DISTINCT u.node_id) AS nodes,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'new_regions'), 0) AS new_regions,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'coverage_gaps'), 0) AS coverage_gaps,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'resource_types'), 0) AS resource_types,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'network_capacity'), 0) AS network_capacity,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'service_types'), 0) AS service_types,
		coalesce(sum(u.amount) FILTER (WHERE u.component = 'specialization'), 0) AS specialization,
		sum(u.amount) AS earned, sum(u.restated) AS restated
	FROM (SELECT r.epoch_id, r.provider_id, r.node_id, r.component, r.amount, 0::numeric AS restated FROM reward r
		UNION ALL
		SELECT x.posted_epoch_id, x.provider_id, NULL, NULL, 0, x.amount FROM restatement x) u
	WHERE (SELECT sees_all_rewards()) OR u.provider_id = ANY ((SELECT provider_of_role(current_user))::bigint[])
	GROUP BY u.epoch_id, u.provider_id) s
	JOIN epoch e ON e.epoch_id = s.epoch_id JOIN provider p ON p.provider_id = s.provider_id;

COMMENT ON VIEW provider_statement IS 'what each provider earned in each epoch, by component, with corrections of earlier epochs, base units. A role that may not read node_reward sees the providers whose role_name it is, and no other';

COMMENT ON COLUMN provider_statement.epoch_id IS 'the epoch';

COMMENT ON COLUMN provider_statement.period IS 'its period';

COMMENT ON COLUMN provider_statement.status IS 'computed (may still change) or final';

COMMENT ON COLUMN provider_statement.provider_id IS 'the provider';

COMMENT ON COLUMN provider_statement.provider IS 'its name';

COMMENT ON COLUMN provider_statement.nodes IS 'nodes that scored';

COMMENT ON COLUMN provider_statement.new_regions IS 'for new_regions';

COMMENT ON COLUMN provider_statement.coverage_gaps IS 'for coverage_gaps';

COMMENT ON COLUMN provider_statement.resource_types IS 'for resource_types';

COMMENT ON COLUMN provider_statement.network_capacity IS 'for network_capacity';

COMMENT ON COLUMN provider_statement.service_types IS 'for service_types';

COMMENT ON COLUMN provider_statement.specialization IS 'for specialization';

COMMENT ON COLUMN provider_statement.earned IS 'together';

COMMENT ON COLUMN provider_statement.restated IS 'corrections of earlier epochs posted in this one, signed';

COMMENT ON COLUMN provider_statement.total IS 'earned + restated, may be negative';

CREATE VIEW growth_metric AS
SELECT m.epoch_id, e.period, concat_ws(' ', m.kind, nullif(m.subject, '')) AS metric, m.family, m.unit,
	trim_scale(m.value) AS value, trim_scale(coalesce(o.value, 0)) AS previous, trim_scale(m.value - coalesce(o.value, 0)) AS change,
	m.kind, nullif(m.subject, '') AS subject, m.detail
FROM epoch_metric m JOIN epoch e ON e.epoch_id = m.epoch_id
	LEFT JOIN epoch_metric o ON o.epoch_id = e.previous_epoch_id AND o.kind = m.kind AND o.subject = m.subject;

COMMENT ON VIEW growth_metric IS 'what an epoch brought against the one before: nodes, demand served, latency reach, data residency, capacity, prices, services, concentration; one row per epoch and metric';

COMMENT ON COLUMN growth_metric.epoch_id IS 'the epoch';

COMMENT ON COLUMN growth_metric.period IS 'its period';

COMMENT ON COLUMN growth_metric.metric IS 'what is measured: kind and, where there is one, subject';

COMMENT ON COLUMN growth_metric.family IS 'network, service, or the family of the kind of resource: cpu, gpu, memory, storage, bandwidth, niche';

COMMENT ON COLUMN growth_metric.unit IS 'unit of value; share: of 1; HHI: 1 for a single provider; contribution: see epoch_node';

COMMENT ON COLUMN growth_metric.value IS 'in this epoch';

COMMENT ON COLUMN growth_metric.previous IS 'in the epoch before, 0 where it did not have the metric';

COMMENT ON COLUMN growth_metric.change IS 'value - previous';

COMMENT ON COLUMN growth_metric.kind IS
'a node counts when its contribution is above 0. Network: nodes; new nodes (that did not count in the epoch before); new nodes in target regions (multiplier above 1); providers; contribution; regions with nodes; regions opened (with nodes, and without in the epoch before); demand; demand served (cells count to the degree min(1, supply / target)); demand newly served (to which degree more than at the opening); share of demand served; latency reach and data residency by round-trip time (share of all demand, and of the demand under a known jurisdiction, see latency_reach); provider concentration of the network and of each region (Herfindahl-Hirschman index, the sum of squares of the providers'' shares of contribution). '
'Resources: capacity (quality * units) of each kind; added (capacity above the all-time mark of each hardware or provider); price; capacity of family and added in family (unit_value * units, so that kinds can be added up); niche resource types offered, and appeared (none in the epoch before). '
'Services: work; services offered (with work of some quality), and appeared';

COMMENT ON COLUMN growth_metric.subject IS 'the kind of resource, family, service, region or round-trip time; NULL: the network';

COMMENT ON COLUMN growth_metric.detail IS 'codes of what was counted: regions opened, niche types and services offered and appeared; NULL: none';

CREATE VIEW latency_reach AS
SELECT r.epoch_id, e.period, r.place AS region, g.name, x.jurisdiction, r.budget_ms, r.radius_m, r.demand,
	r.reached, s.reached_fraction, r.resident, s.resident_fraction,
	CASE WHEN j.demand > 0 THEN j.resident / j.demand END AS jurisdiction_fraction,
	s.reached_fraction - o.reached_fraction AS reached_change, s.resident_fraction - o.resident_fraction AS resident_change
FROM epoch_reach r
	CROSS JOIN LATERAL (SELECT CASE WHEN r.demand > 0 THEN r.reached / r.demand END AS reached_fraction,
		CASE WHEN r.demand > 0 THEN r.resident / r.demand END AS resident_fraction) s
	JOIN epoch e ON e.epoch_id = r.epoch_id
	JOIN epoch_region x ON x.epoch_id = r.epoch_id AND x.region = r.place
	JOIN region g ON g.code = r.place
	LEFT JOIN epoch_reach j ON j.epoch_id = r.epoch_id AND j.scope = 'jurisdiction' AND j.place = x.jurisdiction AND j.budget_ms = r.budget_ms
	LEFT JOIN (SELECT p.epoch_id, p.place, p.budget_ms, CASE WHEN p.demand > 0 THEN p.reached / p.demand END AS reached_fraction,
			CASE WHEN p.demand > 0 THEN p.resident / p.demand END AS resident_fraction
		FROM epoch_reach p WHERE p.scope = 'region') o ON o.epoch_id = e.previous_epoch_id AND o.place = r.place AND o.budget_ms = r.budget_ms
WHERE r.scope = 'region';

COMMENT ON VIEW latency_reach IS 'how much of each region''s demand could be served within a round-trip time of 5, 10, 20, 50 and 100 ms, by anybody''s nodes and by those of the same jurisdiction; one row per epoch, region and round-trip time. A node counts when its contribution is above 0, and serves the disc of service_radius(budget_ms) around it';

COMMENT ON COLUMN latency_reach.epoch_id IS 'the epoch';

COMMENT ON COLUMN latency_reach.period IS 'its period';

COMMENT ON COLUMN latency_reach.region IS 'code of the region';

COMMENT ON COLUMN latency_reach.name IS 'its name today';

COMMENT ON COLUMN latency_reach.jurisdiction IS 'its jurisdiction then; NULL: not known';

COMMENT ON COLUMN latency_reach.budget_ms IS 'round-trip time, ms';

COMMENT ON COLUMN latency_reach.radius_m IS 'service_radius of it, metres, on paths twice as long as the geodesic';

COMMENT ON COLUMN latency_reach.demand IS 'demand in the region';

COMMENT ON COLUMN latency_reach.reached IS 'demand within the radius of some node, wherever it is';

COMMENT ON COLUMN latency_reach.reached_fraction IS 'reached / demand; NULL without demand';

COMMENT ON COLUMN latency_reach.resident IS 'demand within the radius of some node whose own region has the same jurisdiction; NULL where the jurisdiction is not known';

COMMENT ON COLUMN latency_reach.resident_fraction IS 'resident / demand: data residency of the region; NULL without demand or jurisdiction';

COMMENT ON COLUMN latency_reach.jurisdiction_fraction IS 'the same for the whole jurisdiction, see data_residency';

COMMENT ON COLUMN latency_reach.reached_change IS 'reached_fraction less that of the epoch before; NULL where either is not known';

COMMENT ON COLUMN latency_reach.resident_change IS 'resident_fraction less that of the epoch before; NULL where either is not known';

CREATE VIEW data_residency AS
SELECT r.epoch_id, e.period, r.place AS jurisdiction, r.budget_ms, r.radius_m, r.demand, r.resident,
	CASE WHEN r.demand > 0 THEN r.resident / r.demand END AS resident_fraction,
	CASE WHEN r.demand > 0 AND o.demand > 0 THEN r.resident / r.demand - o.resident / o.demand END AS resident_change
FROM epoch_reach r JOIN epoch e ON e.epoch_id = r.epoch_id
	LEFT JOIN epoch_reach o ON o.epoch_id = e.previous_epoch_id AND o.scope = r.scope AND o.place = r.place AND o.budget_ms = r.budget_ms
WHERE r.scope = 'jurisdiction';

COMMENT ON VIEW data_residency IS 'how much of each jurisdiction''s demand its own nodes could serve within a round-trip time; one row per epoch, jurisdiction and round-trip time';

COMMENT ON COLUMN data_residency.epoch_id IS 'the epoch';

COMMENT ON COLUMN data_residency.period IS 'its period';

COMMENT ON COLUMN data_residency.jurisdiction IS 'the jurisdiction';

COMMENT ON COLUMN data_residency.budget_ms IS 'round-trip time, ms';

COMMENT ON COLUMN data_residency.radius_m IS 'service_radius of it, metres';

COMMENT ON COLUMN data_residency.demand IS 'demand in any of its regions, once where they overlap';

COMMENT ON COLUMN data_residency.resident IS 'of it within the radius of some node in a region of the jurisdiction';

COMMENT ON COLUMN data_residency.resident_fraction IS 'resident / demand; NULL without demand';

COMMENT ON COLUMN data_residency.resident_change IS 'resident_fraction less that of the epoch before; NULL where either is not known';

CREATE VIEW location_trust AS
SELECT n.epoch_id, e.period, e.status, n.node_id, n.provider_id, n.beacons, p.min_beacons, p.location_slack_m AS slack_m,
	rtt_distance(n.fastest_rtt_ms) AS tightest_bound_m,
	n.location_excess_m AS worst_violation_m, n.violations,
	n.worst_beacon_id, w.name AS worst_beacon, n.worst_rtt_ms, rtt_distance(n.worst_rtt_ms) AS worst_bound_m,
	ST_Distance(n.location, b.location) AS worst_distance_m,
	n.trust,
	CASE WHEN n.violations > 0 THEN 'impossible' WHEN n.beacons < p.min_beacons THEN 'unattested' ELSE 'attested' END AS verdict
FROM epoch_node n
	JOIN epoch e ON e.epoch_id = n.epoch_id
	JOIN policy p ON p.policy_id = e.policy_id
	LEFT JOIN epoch_beacon b ON b.epoch_id = n.epoch_id AND b.beacon_id = n.worst_beacon_id
	LEFT JOIN beacon w ON w.beacon_id = n.worst_beacon_id;

COMMENT ON VIEW location_trust IS 'for each node and epoch what round-trip times to beacons say of its place, and the trust that came of it; all from what was frozen with the epoch';

COMMENT ON COLUMN location_trust.epoch_id IS 'the epoch';

COMMENT ON COLUMN location_trust.period IS 'its period';

COMMENT ON COLUMN location_trust.status IS 'computed (may still change) or final';

COMMENT ON COLUMN location_trust.node_id IS 'the node';

COMMENT ON COLUMN location_trust.provider_id IS 'its provider in that epoch';

COMMENT ON COLUMN location_trust.beacons IS 'beacons that measured it during the epoch and its membership';

COMMENT ON COLUMN location_trust.min_beacons IS 'how many the policy asks for';

COMMENT ON COLUMN location_trust.slack_m IS 'metres of violation that the policy lets pass';

COMMENT ON COLUMN location_trust.tightest_bound_m IS 'rtt_distance of its fastest round trip: it is within so many metres of the beacon that made it; NULL: no beacon';

COMMENT ON COLUMN location_trust.worst_violation_m IS 'the largest of distance to a beacon less the distance its fastest round trip allows, metres, rounded down to a millimetre. Positive: light could not do it, but up to slack_m passes; negative: possible with so much to spare; NULL: no beacon';

COMMENT ON COLUMN location_trust.violations IS 'beacons whose violation is above slack_m. One of many may be a beacon that lies: see epoch_beacon';

COMMENT ON COLUMN location_trust.worst_beacon_id IS 'the beacon that shows worst_violation_m, the lowest of several; NULL: no beacon';

COMMENT ON COLUMN location_trust.worst_beacon IS 'its name today';

COMMENT ON COLUMN location_trust.worst_rtt_ms IS 'its fastest round-trip time, ms';

COMMENT ON COLUMN location_trust.worst_bound_m IS 'rtt_distance of that, metres';

COMMENT ON COLUMN location_trust.worst_distance_m IS 'from its place then to the node''s claimed place then, metres';

COMMENT ON COLUMN location_trust.trust IS 'the factor of quality: 0 with a violation, the policy''s unattested_trust with fewer than min_beacons beacons, else 1';

COMMENT ON COLUMN location_trust.verdict IS 'impossible, unattested (too few beacons) or attested';

CREATE VIEW reporter_watermark AS
SELECT w.node_id, n.provider_id, n.status, w.last_at, w.newest - w.last_at AS behind,
	n.status <> 'active' OR w.last_at < w.newest - p.silent_after AS silent
FROM (SELECT s.node_id, least(max(s.last_at), now()) AS last_at, least(max(max(s.last_at)) OVER (), now()) AS newest
	FROM (SELECT r.node_id, r.last_at FROM telemetry_reporter r
		UNION ALL
		-- rows not rolled up yet
		SELECT t.node_id, t.last_at
		FROM (SELECT unnest(range_agg(tstzrange(hour_of(d.since), hour_of(d.since) + interval '1 hour'))) AS span FROM telemetry_dirty d WHERE d.came > 0) h,
			LATERAL (SELECT t.node_id, max(t.sampled_at) AS last_at FROM telemetry t
				WHERE t.sampled_at >= lower(h.span) AND t.sampled_at < upper(h.span) GROUP BY t.node_id) t) s
	GROUP BY s.node_id) w
	JOIN node n ON n.node_id = w.node_id
	CROSS JOIN LATERAL (SELECT l.silent_after FROM policy l WHERE l.effective_from <= now() ORDER BY l.effective_from DESC LIMIT 1) p;

COMMENT ON VIEW reporter_watermark IS 'how far each node has reported; a node is the reporter of its own telemetry';

COMMENT ON COLUMN reporter_watermark.node_id IS 'the node';

COMMENT ON COLUMN reporter_watermark.provider_id IS 'its provider today';

COMMENT ON COLUMN reporter_watermark.status IS 'its status today';

COMMENT ON COLUMN reporter_watermark.last_at IS 'its watermark: the latest sampled_at that has arrived, or now, where its clock is ahead; what comes with an earlier one was late';

COMMENT ON COLUMN reporter_watermark.behind IS 'how much earlier that is than the watermark of the node most recently heard of';

COMMENT ON COLUMN reporter_watermark.silent IS 'the global watermark does not wait for it: it is not active, or further behind than policy.silent_after (of the policy in effect now)';

CREATE VIEW telemetry_watermark AS
SELECT min(w.last_at) FILTER (WHERE NOT w.silent) AS watermark, max(w.last_at) AS newest,
	count(*) FILTER (WHERE NOT w.silent) AS reporters, count(*) FILTER (WHERE w.silent) AS silent
FROM reporter_watermark w;

COMMENT ON VIEW telemetry_watermark IS 'how far all nodes that are not silent have reported: one row';

COMMENT ON COLUMN telemetry_watermark.watermark IS 'the global watermark, the least of their watermarks: up to it telemetry is complete, but for late rows. NULL: nobody has reported';

COMMENT ON COLUMN telemetry_watermark.newest IS 'the greatest watermark of any node';

COMMENT ON COLUMN telemetry_watermark.reporters IS 'nodes it waits for';

COMMENT ON COLUMN telemetry_watermark.silent IS 'nodes that have reported, but not for long, or that are not active';

CREATE VIEW epoch_telemetry AS
SELECT s.epoch_id, s.period, s.status, s.closes_at, s.closes_at <= now() AS closed,
	coalesce(w.watermark >= upper(s.period), false) AS complete,
	coalesce(c.computation, 0) AS computations,
	t.came - c.came AS late_came, t.gone - c.gone AS late_gone,
	s.status = 'computed' AND coalesce(t.came > c.came OR t.gone > c.gone, false) AS stale
FROM (SELECT e.epoch_id, e.period, e.status, (upper(e.period) AT TIME ZONE 'UTC' + coalesce(e.grace_period, p.grace_period)) AT TIME ZONE 'UTC' AS closes_at
		FROM epoch e LEFT JOIN policy p ON p.policy_id = coalesce(e.policy_id,
			(SELECT l.policy_id FROM policy l WHERE l.effective_from <= lower(e.period) ORDER BY l.effective_from DESC LIMIT 1))) s
	CROSS JOIN telemetry_watermark w
	LEFT JOIN LATERAL (SELECT x.computation, x.came, x.gone FROM epoch_computation x WHERE x.epoch_id = s.epoch_id ORDER BY x.computation DESC LIMIT 1) c ON true
	LEFT JOIN LATERAL (SELECT coalesce(sum(x.came), 0) AS came, coalesce(sum(x.gone), 0) AS gone
		FROM (SELECT a.came, a.gone FROM telemetry_arrival a WHERE a.since >= lower(s.period) AND a.since < upper(s.period)
			UNION ALL SELECT d.came, d.gone FROM telemetry_dirty d WHERE d.since >= lower(s.period) AND d.since < upper(s.period)) x) t ON true;

COMMENT ON VIEW epoch_telemetry IS 'each epoch and its telemetry: is it all there, and what came after it was computed. Late rows are kept, also where the epoch is final; a final epoch never changes';

COMMENT ON COLUMN epoch_telemetry.epoch_id IS 'the epoch';

COMMENT ON COLUMN epoch_telemetry.period IS 'its period';

COMMENT ON COLUMN epoch_telemetry.status IS 'its status';

COMMENT ON COLUMN epoch_telemetry.closes_at IS 'end of its grace period';

COMMENT ON COLUMN epoch_telemetry.closed IS 'the grace period has ended';

COMMENT ON COLUMN epoch_telemetry.complete IS 'the global watermark has passed its end: nobody who still reports has telemetry of it to come, but for late rows';

COMMENT ON COLUMN epoch_telemetry.computations IS 'how often it was computed';

COMMENT ON COLUMN epoch_telemetry.late_came IS 'rows that came in its period after it was last computed; NULL: never computed';

COMMENT ON COLUMN epoch_telemetry.late_gone IS 'rows deleted in its period after it was last computed';

COMMENT ON COLUMN epoch_telemetry.stale IS 'computed, but not from all that is there now: CALL run_late_epochs, without which it cannot become final';

CREATE VIEW coverage_gap AS
SELECT e.epoch_id, e.period, e.status, g.gap_id,
	(SELECT r.code FROM region r WHERE ST_Covers(r.boundary, g.center) ORDER BY region_area(r.boundary), r.code LIMIT 1) AS region,
	g.area_m2, g.deficit, g.center, g.boundary
FROM epoch e
	JOIN policy p ON p.policy_id = e.policy_id
	CROSS JOIN LATERAL coverage_gaps(gap_field(e.demand, e.closing_supply, p.supply_target::double precision)) g
WHERE e.status IN ('computed', 'final');

COMMENT ON VIEW coverage_gap IS 'where demand is left unserved at the close of each computed epoch: the connected parts of G = D * max(0, 1 - S1 / T), see coverage_gaps. Drawn from the frozen fields whenever it is read, so name an epoch_id';

COMMENT ON COLUMN coverage_gap.epoch_id IS 'the epoch';

COMMENT ON COLUMN coverage_gap.period IS 'its period';

COMMENT ON COLUMN coverage_gap.status IS 'computed (may still change) or final';

COMMENT ON COLUMN coverage_gap.gap_id IS 'number within the epoch, from 1, largest deficit first; the same gap may have another one in the next epoch';

COMMENT ON COLUMN coverage_gap.region IS 'code of the smallest region that covers the center today, ties by code; NULL: none. A gap may reach into others';

COMMENT ON COLUMN coverage_gap.area_m2 IS 'its area, square metres';

COMMENT ON COLUMN coverage_gap.deficit IS 'demand in it that is not served, in the unit of demand.weight; those of an epoch add up to all that is left unserved';

COMMENT ON COLUMN coverage_gap.center IS 'centre of a cell of the gap, as deep inside as any';

COMMENT ON COLUMN coverage_gap.boundary IS 'its outline along the edges of cells';

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

DO $$
DECLARE
	f regprocedure;
BEGIN
	FOR f IN SELECT p.oid::regprocedure FROM pg_proc p
		WHERE p.pronamespace = '@extschema@'::regnamespace
			AND p.proname IN ('restate_epoch', 'preview_restatement', 'make_payout', 'release_payout', 'cancel_payout', 'roll_telemetry_hours', 'epoch_closes_at',
				'explain_reward', 'simulate_node')
	LOOP
		EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER', f);
	END LOOP;
END $$;

CREATE FUNCTION role_privilege(kind text) RETURNS TABLE (privilege text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	-- what an operator fills; everything else is written by the procedures
	filled text[] := ARRAY['provider', 'resource_type', 'service_type', 'region', 'node', 'node_resource', 'demand', 'resource_demand',
		'beacon', 'beacon_rtt', 'telemetry', 'specialization'];
BEGIN
	IF kind IS NULL OR kind NOT IN ('analyst', 'operator', 'service', 'provider') THEN
		RAISE EXCEPTION 'there is no kind of role %', coalesce(quote_literal(kind), 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use analyst, operator, service or provider.';
	END IF;
	RETURN QUERY SELECT 'USAGE ON SCHEMA @extschema@';
	IF kind = 'provider' THEN
		RETURN QUERY SELECT format('SELECT ON @extschema@.%I', t) FROM unnest(ARRAY['provider_statement', 'reward', 'reward_part', 'restatement', 'final_statement', 'payout_line']) t;
		RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.provider_of_role(name)';
		RETURN;
	END IF;
	RETURN QUERY SELECT format('SELECT ON %s', c.oid::regclass)
	FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
		JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid AND x.extname = 'swarm_reward'
	WHERE c.relkind = 'v' OR (kind <> 'service' AND c.relkind IN ('r', 'p'));
	RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.verify_references()' WHERE kind <> 'service';
	RETURN QUERY SELECT 'EXECUTE ON FUNCTION @extschema@.provider_of_role(name)' UNION ALL SELECT 'EXECUTE ON FUNCTION @extschema@.epoch_closes_at(bigint)';
	RETURN QUERY SELECT format('EXECUTE ON FUNCTION %s', p.oid::regprocedure)
	FROM pg_proc p WHERE p.pronamespace = '@extschema@'::regnamespace AND p.proname IN ('explain_reward', 'simulate_node');
	-- without it the functions of PostGIS cannot be found, in ours neither
	RETURN QUERY SELECT format('USAGE ON SCHEMA %s', x.extnamespace::regnamespace)
	FROM pg_extension x WHERE x.extname = 'postgis' AND NOT has_schema_privilege('public', x.extnamespace, 'USAGE');
	IF kind = 'operator' THEN
		RETURN QUERY SELECT format('INSERT, UPDATE, DELETE ON @extschema@.%I', t) FROM unnest(filled) t;
		RETURN QUERY SELECT 'INSERT, DELETE ON @extschema@.telemetry_reject' UNION ALL SELECT 'DELETE ON @extschema@.policy' UNION ALL SELECT 'DELETE ON @extschema@.epoch';
		-- of a policy all but what says that it is in use or ours; of an epoch what can be planned
		RETURN QUERY SELECT format('INSERT (%1$s), UPDATE (%1$s) ON @extschema@.%2$I', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.relname)
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
		WHERE (c.oid = 'policy'::regclass AND a.attname NOT IN ('sealed_rules', 'is_builtin'))
			OR (c.oid = 'epoch'::regclass AND a.attname IN ('epoch_id', 'period', 'budget', 'policy_id', 'grace_period', 'note'))
		GROUP BY c.relname;
		RETURN QUERY SELECT format('EXECUTE ON ROUTINE %s', p.oid::regprocedure)
		FROM pg_proc p
		WHERE p.pronamespace = '@extschema@'::regnamespace AND (p.prokind = 'p'
			OR p.proname IN ('try_epoch_lock', 'can_commit', 'next_epoch_step', 'record_epoch_failure', 'plan_epochs', 'schedule_jobs', 'unschedule_jobs',
				'make_telemetry_partitions', 'keep_telemetry_partitions', 'drop_telemetry_partitions', 'ingest_telemetry', 'retry_telemetry_reject',
				'roll_telemetry_hours', 'mark_telemetry_hours', 'restate_epoch', 'preview_restatement', 'make_payout', 'release_payout', 'cancel_payout'));
	END IF;
END $$;

COMMENT ON FUNCTION role_privilege(text) IS
'what grant_role grants to a kind of role, as it is written between GRANT and TO. Errors: no such kind';

CREATE FUNCTION check_may_grant(role_name name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	owner name := (SELECT pg_get_userbyid(x.extowner) FROM pg_extension x WHERE x.extname = 'swarm_reward');
BEGIN
	IF role_name IS NULL OR NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = role_name) THEN
		RAISE EXCEPTION 'role % does not exist', coalesce(quote_ident(role_name), 'NULL')
			USING ERRCODE = 'undefined_object', HINT = format('CREATE ROLE %s LOGIN first.', coalesce(quote_ident(role_name), 'name'));
	END IF;
	IF NOT pg_has_role(owner, 'USAGE') THEN
		RAISE EXCEPTION 'permission denied to grant or revoke roles of swarm_reward'
			USING ERRCODE = 'insufficient_privilege', HINT = format('Do it as %s, who owns the extension, or as a superuser.', owner);
	END IF;
END $$;

COMMENT ON FUNCTION check_may_grant(name) IS 'error unless the role exists and the current user may grant what the owner of the extension has';

CREATE FUNCTION grant_role(kind text, role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	what text;
BEGIN
	PERFORM check_may_grant(role_name);
	FOR what IN SELECT p.privilege FROM role_privilege(kind) p LOOP
		EXECUTE format('GRANT %s TO %I', what, role_name);
	END LOOP;
END $$;

COMMENT ON FUNCTION grant_role(text, name) IS
'grants a database role what its work needs and no more; safe to repeat, and to be repeated after an update of the extension. analyst: reads everything, calls verify_references. operator: the same, fills the tables of the network (see role_privilege()), plans epochs, calls the procedures, restates and pays out; cannot write a reward. service: reads the views, calls explain_reward and simulate_node. All three may use the schema of PostGIS. provider: reads the statement and rewards of the providers whose provider.role_name it is. Errors: no such kind, no such role, not the owner of the extension';

CREATE FUNCTION revoke_role(role_name name) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	what text;
BEGIN
	PERFORM check_may_grant(role_name);
	FOR what IN SELECT DISTINCT p.privilege FROM unnest(ARRAY['analyst', 'operator', 'service', 'provider']) k, LATERAL role_privilege(k) p LOOP
		EXECUTE format('REVOKE %s FROM %I', what, role_name);
	END LOOP;
END $$;

COMMENT ON FUNCTION revoke_role(name) IS
'takes from a database role all that grant_role may have granted it, of whatever kind; safe to repeat. Errors: no such role, not the owner of the extension';

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

SET LOCAL session_replication_role = origin;

-- what 0.1.0 did not seal is guarded like the rest
DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['epoch_beacon', 'epoch_metric', 'epoch_reach'] LOOP
		EXECUTE format('CREATE TRIGGER sealed_insert AFTER INSERT ON %I REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_update AFTER UPDATE ON %I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_delete AFTER DELETE ON %I REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
		EXECUTE format('CREATE TRIGGER sealed_truncate BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION epoch_sealed_guard()', t);
	END LOOP;
END $$;

-- hours of partitions that were made before are watched from now on
SELECT watch_telemetry_partition(p.partition) FROM telemetry_partition('telemetry') p;

-- and their foreign keys are as those of new ones, so that the order of a restore does not matter to
-- them: every row that is there has been checked, and stays so
DO $$
DECLARE
	k record;
BEGIN
	FOR k IN
		SELECT c.conrelid::regclass AS partition, c.conname, pg_get_constraintdef(c.oid) AS definition
		FROM (VALUES ('telemetry'::regclass), ('telemetry_hour')) p (parent), telemetry_partition(p.parent) t
			JOIN pg_constraint c ON c.conrelid = t.partition AND c.contype = 'f' AND c.convalidated
		WHERE c.confrelid IN ('node'::regclass, 'service_type'::regclass)
	LOOP
		EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s NOT VALID', k.partition, k.conname, k.definition);
	END LOOP;
END $$;
