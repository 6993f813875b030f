-- An epoch as it would be: with another policy, or with one more node. Nothing
-- is written: what would be different is a value of type scenario, and the
-- functions of the engine are there once more, each reading the rows of the
-- scenario where its original reads the tables of the epoch. They are derived
-- from the originals' own source, below, so that there is no second engine that
-- could come to differ from the first.

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

-- ---- the frozen rows of nodes as a scenario has them ----

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

-- ---- the engine over a scenario ----

-- Gives a function of the engine a twin of the same name with one more argument,
-- the scenario, whose rows it reads where the original reads an epoch's tables;
-- functions that have a twin already are called with the scenario too. A body
-- that would still read a frozen table of the epoch, or a live one, or call a
-- function that may, is refused.
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

-- ---- what a scenario pays ----

-- What follows from nodes and policy for regions, kinds of resource and services,
-- by the same formulas by which it was frozen. The rows of regions must be
-- there already, since they depend on the opening and not on the nodes.
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
