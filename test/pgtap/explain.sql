-- explain_reward: every amount of a small network from its rows alone, and who may ask.
\set ON_ERROR_STOP on
BEGIN;
\ir small.psql
SELECT plan(21);
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
CREATE TEMP TABLE told AS
SELECT n.node_id, n.epoch_id, x.* FROM epoch_node n, explain_reward(n.node_id, n.epoch_id) x;
-- from here on nothing but these rows is read, and the formulas
CREATE FUNCTION pg_temp.f(inputs jsonb, name text) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT (inputs ->> name)::float8';

SELECT is_empty($$SELECT * FROM told WHERE term = 'availability' AND pg_temp.f(inputs, 'availability') <> swarm_reward_internal.ramp(pg_temp.f(inputs, 'uptime'), pg_temp.f(inputs, 'uptime_floor'), pg_temp.f(inputs, 'uptime_target'))$$, 'availability');
SELECT is_empty($$SELECT * FROM told WHERE term = 'performance' AND pg_temp.f(inputs, 'performance') <> swarm_reward_internal.performance(pg_temp.f(inputs, 'response_ms'), pg_temp.f(inputs, 'error_rate_upper'),
	pg_temp.f(inputs, 'response_limit_ms'), pg_temp.f(inputs, 'response_target_ms'), pg_temp.f(inputs, 'error_limit'), pg_temp.f(inputs, 'error_target'))$$, 'performance');
SELECT is_empty($$SELECT * FROM told WHERE term = 'quality' AND pg_temp.f(inputs, 'quality') <> CASE WHEN (inputs ->> 'counts')::boolean AND NOT (inputs ->> 'impossible')::boolean
	THEN pg_temp.f(inputs, 'availability') * pg_temp.f(inputs, 'performance') ELSE 0 END$$, 'quality');
SELECT is_empty($$SELECT * FROM (SELECT node_id, epoch_id, sum((inputs ->> 'units')::numeric * (inputs ->> 'unit_value')::numeric) AS value FROM told WHERE term ~ '^units of' GROUP BY 1, 2) u
	JOIN told t USING (node_id, epoch_id) WHERE t.term = 'value' AND abs(pg_temp.f(t.inputs, 'value') - u.value) > 1e-12 * u.value$$, 'value');
SELECT is_empty($$SELECT * FROM told WHERE term = 'contribution' AND pg_temp.f(inputs, 'contribution') <> pg_temp.f(inputs, 'quality') * pg_temp.f(inputs, 'value')$$, 'contribution');
SELECT is_empty($$SELECT * FROM told WHERE term = 'supply' AND pg_temp.f(inputs, 'demand_in_reach') > 0
	AND pg_temp.f(inputs, 'supply') <> pg_temp.f(inputs, 'contribution') * pg_temp.f(inputs, 'place_trust') / pg_temp.f(inputs, 'demand_in_reach')$$, 'supply');

-- what is taken for given: of regions, of kinds of resources there and in all; prices
SELECT is_empty($$SELECT * FROM told WHERE term ~ '^multiplier of' AND pg_temp.f(inputs, 'multiplier') <> swarm_reward_internal.region_multiplier(pg_temp.f(inputs, 'given'), pg_temp.f(inputs, 'demand'), pg_temp.f(inputs, 'target_fraction'), pg_temp.f(inputs, 'region_multiplier_max'))$$, 'multipliers of regions');
SELECT is_empty($$SELECT * FROM told WHERE term ~ '^pot of' AND (pg_temp.f(inputs, 'need') <> pg_temp.f(inputs, 'supply_target') * greatest(0, pg_temp.f(inputs, 'target_fraction') * pg_temp.f(inputs, 'demand') - pg_temp.f(inputs, 'given'))
	OR pg_temp.f(inputs, 'pot') <> (pg_temp.f(inputs, 'multiplier') - 1) * least(pg_temp.f(inputs, 'fresh'), pg_temp.f(inputs, 'need')) * pg_temp.f(inputs, 'days'))$$, 'pots of regions');
SELECT is_empty($$SELECT * FROM told WHERE component = 'resource_gaps' AND term ~ '^score' AND pg_temp.f(inputs, 'pot') <> pg_temp.f(inputs, 'days') * pg_temp.f(inputs, 'unit_value') * pg_temp.f(inputs, 'kappa')
	* greatest(0, least(pg_temp.f(inputs, 'units_of_region'), pg_temp.f(inputs, 'demand')) - least(pg_temp.f(inputs, 'reference'), pg_temp.f(inputs, 'demand')))$$, 'pots of kinds of resources in regions');
SELECT is_empty($$SELECT * FROM told WHERE component = 'network_capacity' AND term ~ '^score' AND pg_temp.f(inputs, 'pot') <> pg_temp.f(inputs, 'days') * pg_temp.f(inputs, 'unit_value')
	* least(pg_temp.f(inputs, 'kappa') * greatest(0, pg_temp.f(inputs, 'network_units') - pg_temp.f(inputs, 'network_reference')), pg_temp.f(inputs, 'need'))$$, 'pots of kinds of resources in all');
SELECT is_empty($$SELECT * FROM told WHERE component = 'resource_types' AND term ~ '^score' AND (pg_temp.f(inputs, 'price') <> swarm_reward_internal.next_price(pg_temp.f(inputs, 'price_before'), pg_temp.f(inputs, 'demand'), pg_temp.f(inputs, 'supply'), pg_temp.f(inputs, 'days'),
		(inputs ->> 'price_elasticity')::numeric, (inputs ->> 'price_step')::numeric, (inputs ->> 'price_min')::numeric, (inputs ->> 'price_max')::numeric)
	OR pg_temp.f(inputs, 'markup') <> swarm_reward_internal.price_markup(pg_temp.f(inputs, 'price_before'), pg_temp.f(inputs, 'price'), pg_temp.f(inputs, 'days'), (inputs ->> 'price_step')::numeric))$$, 'prices');

-- scores, from their inputs
CREATE TEMP TABLE part AS
SELECT t.node_id, t.epoch_id, t.component, CASE WHEN t.component = 'service_types' THEN 'service_types ' || substr(t.term, 11) ELSE t.component END AS lot,
	CASE t.component
		WHEN 'new_regions' THEN CASE WHEN pg_temp.f(inputs, 'fresh') > 0 THEN pg_temp.f(inputs, 'pot') * (pg_temp.f(inputs, 'z') / pg_temp.f(inputs, 'fresh')) ELSE 0 END
		WHEN 'geographic_gaps' THEN pg_temp.f(inputs, 'days') * pg_temp.f(inputs, 'tenure') * pg_temp.f(inputs, 'supply') * pg_temp.f(inputs, 'per_supply')
		WHEN 'resource_gaps' THEN CASE WHEN pg_temp.f(inputs, 'pot') > 0 THEN pg_temp.f(inputs, 'tenure') * pg_temp.f(inputs, 'pot') * (pg_temp.f(inputs, 'good_units') / pg_temp.f(inputs, 'units_of_region')) ELSE 0 END
		WHEN 'resource_types' THEN pg_temp.f(inputs, 'days') * pg_temp.f(inputs, 'quality') * pg_temp.f(inputs, 'units') * pg_temp.f(inputs, 'unit_value') * pg_temp.f(inputs, 'markup')
		WHEN 'network_capacity' THEN CASE WHEN pg_temp.f(inputs, 'pot') > 0 AND pg_temp.f(inputs, 'growth_of_all') > 0 THEN pg_temp.f(inputs, 'tenure') * pg_temp.f(inputs, 'pot') * (pg_temp.f(inputs, 'growth') / pg_temp.f(inputs, 'growth_of_all')) ELSE 0 END
		WHEN 'service_types' THEN CASE WHEN pg_temp.f(inputs, 'good_work') > 0 THEN pg_temp.f(inputs, 'score_of_service') * (pg_temp.f(inputs, 'quality') * pg_temp.f(inputs, 'work') / pg_temp.f(inputs, 'good_work')) ELSE 0 END
		ELSE CASE WHEN pg_temp.f(inputs, 'samples') >= pg_temp.f(inputs, 'min_samples') THEN pg_temp.f(inputs, 'weight') * pg_temp.f(inputs, 'work') * pg_temp.f(inputs, 'unit_value') * pg_temp.f(inputs, 'quality')
			* coalesce(swarm_reward_internal.ramp(pg_temp.f(inputs, 'metric_value'), pg_temp.f(inputs, 'bound'), pg_temp.f(inputs, 'target')), 0) ELSE 0 END END AS score,
	(t.inputs ->> 'amount_of_service')::numeric AS amount_of_service
FROM told t WHERE t.term ~ '^(score|rule)';
CREATE TEMP TABLE paid AS SELECT t.node_id, t.epoch_id, t.component, t.inputs, (t.inputs ->> 'provider_id')::bigint AS provider_id, t.value::numeric AS amount FROM told t WHERE t.term = 'amount';
SELECT is_empty($$SELECT * FROM paid p LEFT JOIN (SELECT node_id, epoch_id, component, sum(swarm_reward_internal.exact(score))::float8 AS score FROM part GROUP BY 1, 2, 3) s USING (node_id, epoch_id, component)
	WHERE coalesce(s.score, 0) <> coalesce(pg_temp.f(p.inputs, 'score'), 0)$$, 'every score, of all seven components, to the bit');
SELECT is((SELECT count(DISTINCT component) FROM paid WHERE amount > 0), 7::bigint, 'of which each pays somebody');
SELECT is_empty($$SELECT epoch_id, component FROM paid GROUP BY 1, 2
	HAVING min(pg_temp.f(inputs, 'score_of_all')) <> coalesce(sum(swarm_reward_internal.exact(pg_temp.f(inputs, 'score'))), 0)::float8
		OR min((inputs ->> 'payable')::numeric) <> CASE WHEN min(pg_temp.f(inputs, 'score_of_all')) > 0 THEN least(min((inputs ->> 'budget')::numeric + (inputs ->> 'carried_in')::numeric),
			floor(min((inputs ->> 'price_max')::numeric) * swarm_reward_internal.exact(min(pg_temp.f(inputs, 'score_of_all'))))) ELSE 0 END$$, 'what each pool had to apportion, under its ceiling');

-- and amounts: by lots over providers with the cap, then over their nodes
CREATE TEMP TABLE lot AS
SELECT p.node_id, p.epoch_id, p.component, p.provider_id, q.lot, q.score, coalesce(q.amount_of_service, (p.inputs ->> 'payable')::numeric) AS has, (p.inputs ->> 'provider_cap_bps')::int AS cap
FROM part q JOIN paid p USING (node_id, epoch_id, component) WHERE q.score > 0;
CREATE TEMP TABLE mine AS
SELECT l.node_id, l.epoch_id, l.component, sum(l.amount) AS amount
FROM (SELECT s.*, allocate(s.score, c.amount) OVER (PARTITION BY s.epoch_id, s.lot, s.provider_id ORDER BY s.node_id) AS amount
	FROM (SELECT node_id, epoch_id, component, provider_id, lot, sum(swarm_reward_internal.exact(score))::float8 AS score FROM lot GROUP BY 1, 2, 3, 4, 5) s
		JOIN (SELECT epoch_id, lot, provider_id, allocate(score, has, floor(has * cap / 10000)) OVER (PARTITION BY epoch_id, lot ORDER BY provider_id) AS amount
			FROM (SELECT epoch_id, lot, provider_id, has, cap, sum(swarm_reward_internal.exact(score)) AS score FROM lot GROUP BY 1, 2, 3, 4, 5) x) c USING (epoch_id, lot, provider_id)) l
GROUP BY 1, 2, 3;
SELECT is_empty('SELECT * FROM paid p FULL JOIN mine m USING (node_id, epoch_id, component) WHERE coalesce(p.amount, 0) <> coalesce(m.amount, 0)', 'every amount, to the base unit');
SELECT is((SELECT sum(amount) FROM mine), (SELECT sum(amount) FROM reward), 'which is what was paid');
SELECT is_empty('SELECT * FROM told WHERE formula IS NULL OR inputs IS NULL OR value IS NULL', 'each row has a value, a formula and inputs');

-- who may ask
CREATE ROLE sr_explain_a LOGIN;
CREATE ROLE sr_explain_x LOGIN;
UPDATE provider SET role_name = 'sr_explain_a' WHERE provider_id = 1;
SELECT grant_role('provider', 'sr_explain_a') \g /dev/null
SELECT grant_role('provider', 'sr_explain_x') \g /dev/null
-- rows of an explanation that a login sees, or what it is told instead
CREATE FUNCTION pg_temp.told_to(login name, id bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	seen text;
BEGIN
	EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', login);
	BEGIN
		SELECT CASE WHEN count(*) > 20 THEN 'all' ELSE count(*)::text END INTO seen FROM swarm_reward.explain_reward(id, 2);
	EXCEPTION WHEN insufficient_privilege THEN
		seen := SQLERRM;
	END;
	RESET SESSION AUTHORIZATION;
	RETURN seen;
END $$;
SELECT is(pg_temp.told_to('sr_explain_a', 1), 'all', 'a provider''s own login may ask about its own node');
SELECT is(pg_temp.told_to('sr_explain_a', 2), 'node 2 is not yours to ask about', 'and not about another''s');
SELECT is(pg_temp.told_to('sr_explain_a', 999), 'node 999 is not yours to ask about', 'nor which nodes there are');
SELECT is(pg_temp.told_to('sr_explain_x', 1), 'node 1 is not yours to ask about', 'a login of nobody''s may ask about nothing');
SELECT * FROM finish();
ROLLBACK;
