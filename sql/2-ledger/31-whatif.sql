-- What one more node would have earned, in closed form from the stored fields and sums: at a place,
-- and at all places at once. The pools that depend on fields are in C (newcomer.c), for both alike.

CREATE FUNCTION swarm_reward_internal.region_field(regions geography[], within_m double precision, grid_order int) RETURNS coverage
AS 'MODULE_PATHNAME', 'sr_region_field' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.region_field(geography[], double precision, int) IS
'covering_region(regions, center, within_m) of each cell''s centre, 0 where it is NULL. NULL for NULL';

CREATE FUNCTION swarm_reward_internal.newcomer_scores(epoch_id bigint, codes text[], reach_m double precision, contribution double precision, tenure double precision, freshness double precision,
	supply_target double precision, kept double precision, faded double precision, baseline boolean, days double precision, multiplier_max double precision,
	location geography, region int,
	OUT demand_in_reach double precision, OUT gap double precision, OUT gap_more double precision, OUT region_own double precision, OUT region_more double precision)
AS 'MODULE_PATHNAME', 'sr_newcomer_scores' LANGUAGE c STABLE STRICT;
COMMENT ON FUNCTION swarm_reward_internal.newcomer_scores(bigint, text[], double precision, double precision, double precision, double precision,
	double precision, double precision, double precision, boolean, double precision, double precision, geography, int) IS
'what a newcomer scores at a place in geographic_gaps and new_regions, and by how much the scores of all rise with it; region: its region''s position in codes, 0: none. Of large fields only what lies on its disc''s parallels is read. NULL for NULL';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE TYPE newcomer AS (epoch_id bigint, policy_id bigint, at timestamptz, grid_order int, region_snap_m double precision, codes text[], reach_m double precision,
	contribution double precision, tenure double precision, freshness double precision, supply_target double precision,
	kept double precision, faded double precision, baseline boolean, days double precision, multiplier_max double precision);
COMMENT ON TYPE newcomer IS
'one more node, a member of an epoch from beginning to end: its contribution, tenure and freshness, and the rules it falls under. codes: the regions in force, the smallest first; kept and faded: mean of what is left of a reference above and below what is there; baseline: what is there is taken for given';

CREATE FUNCTION make_newcomer(epoch_id bigint, radius_m double precision, resources jsonb) RETURNS newcomer
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	e epoch;
	p policy;
	n newcomer;
	r record;
BEGIN
	IF $1 IS NULL THEN
		SELECT * INTO e FROM epoch y WHERE y.status IN ('computed', 'final') ORDER BY y.period DESC LIMIT 1;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'no epoch was computed yet' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CALL swarm_reward.run_epoch(epoch_id) first.';
		END IF;
	ELSE
		e := computed_epoch($1);
	END IF;
	IF radius_m IS NULL OR NOT (radius_m > 0 AND radius_m <= 5000000) THEN
		RAISE EXCEPTION 'radius of % m is not above 0 and at most 5000000', coalesce(radius_m::text, 'NULL') USING ERRCODE = 'invalid_parameter_value', HINT = 'service_radius(rtt_ms) makes one of a latency budget.';
	END IF;
	IF jsonb_typeof(resources) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'resources are no JSON object of units: %', coalesce(resources::text, 'NULL') USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"gpu": 4}.';
	END IF;
	FOR r IN SELECT k.key, k.value FROM jsonb_each(resources) k LOOP
		IF NOT EXISTS (SELECT FROM resource_type y WHERE y.code = r.key) THEN
			RAISE EXCEPTION 'there is no kind of resource %', quote_literal(r.key) USING ERRCODE = 'no_data_found', HINT = 'The table swarm_reward.resource_type lists those there are.';
		END IF;
		IF (CASE WHEN jsonb_typeof(r.value) = 'number' THEN r.value::numeric NOT BETWEEN 0 AND 999999999999999 ELSE true END) THEN
			RAISE EXCEPTION 'units of % are no number from 0 to 999999999999999: %', r.key, r.value USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"gpu": 4}.';
		END IF;
	END LOOP;
	SELECT * INTO p FROM policy y WHERE y.policy_id = e.policy_id;
	n.epoch_id := e.epoch_id;
	n.policy_id := p.policy_id;
	n.at := lower(e.period);
	n.grid_order := p.grid_order;
	n.region_snap_m := p.region_snap_m;
	n.codes := region_codes(n.at);
	n.reach_m := least(radius_m, p.max_radius_m);
	SELECT coalesce(sum(y.unit_value * (resources ->> y.resource_type)::numeric), 0)::double precision INTO n.contribution
	FROM policy_resource y WHERE y.policy_id = p.policy_id AND resources ? y.resource_type;
	n.days := days(e.period);
	n.tenure := mean_ramp(0, n.days, days(p.maturity));
	n.freshness := 1 - mean_ramp(0, n.days, days(p.freshness));
	n.supply_target := p.supply_target;
	n.kept := kappa(n.days, p.vesting_half_life);
	n.faded := kappa(n.days, p.memory_half_life);
	n.baseline := e.previous_epoch_id IS NULL AND e.baseline;
	n.multiplier_max := p.region_multiplier_max;
	RETURN n;
END $$;
COMMENT ON FUNCTION make_newcomer(bigint, double precision, jsonb) IS
'one more node with a service radius in metres and units of resources in an epoch (NULL: the last computed one). Errors: no such epoch, nothing computed, a radius outside (0, 5 000 000], units that are no numbers, unknown kinds of resources';

CREATE FUNCTION newcomer_map(epoch_id bigint, codes text[], reach_m double precision, contribution double precision, tenure double precision, freshness double precision,
	supply_target double precision, kept double precision, faded double precision, baseline boolean, days double precision, multiplier_max double precision,
	places coverage, others double precision[], cap_bps int,
	gap_pool double precision[], gap_providers double precision[], region_pool double precision[], region_providers double precision[]) RETURNS coverage
AS 'MODULE_PATHNAME', 'sr_newcomer_map' LANGUAGE c STABLE STRICT;
COMMENT ON FUNCTION newcomer_map(bigint, text[], double precision, double precision, double precision, double precision,
	double precision, double precision, double precision, boolean, double precision, double precision,
	coverage, double precision[], int, double precision[], double precision[], double precision[], double precision[]) IS
'what a newcomer earns at the centre of each cell of places, which has the position of its region in codes, 0: none; others: by that position, from 0, what the pools pay that depend on no field. A pool: what it has, its price ceiling (infinite: none), the score of all; then the scores of its largest providers, see pool_top. cap_bps 0: no cap. NULL for NULL';

CREATE FUNCTION pool_top(epoch_id bigint, component text, cap_bps int) RETURNS double precision[]
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
	-- each of them takes the cap, so that no more than these can
	SELECT coalesce((SELECT array_agg(s.score ORDER BY s.score DESC)
		FROM (SELECT o.score FROM epoch_provider o WHERE o.epoch_id = $1 AND o.component = $2 ORDER BY o.score DESC LIMIT 10000 / cap_bps + 1) s), '{}')
	WHERE cap_bps IS NOT NULL
	UNION ALL SELECT '{}' WHERE cap_bps IS NULL
$$;
COMMENT ON FUNCTION pool_top(bigint, text, int) IS 'scores of the providers of a pool that a cap can hold back, from the largest on; none without a cap';

CREATE FUNCTION newcomer_amount(own double precision, more double precision, pool epoch_pool, cap_bps int) RETURNS numeric
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	total numeric := exact(greatest(0, (pool).score + more));
	payable numeric := least((pool).budget + (pool).carried_in, floor((pool).price_max * total));
	score numeric := exact(own);
	cap numeric := floor(payable * cap_bps / 10000);
	others numeric;
	above int;
	above_sum numeric;
BEGIN
	IF score = 0 OR total = 0 THEN
		RETURN 0;
	END IF;
	total := greatest(total, score);
	IF cap_bps IS NULL THEN
		RETURN floor(payable * score / total);
	END IF;
	others := CASE WHEN (pool).score > 0 THEN (total - score) / exact((pool).score) ELSE 0 END;
	-- the largest of the others are at the cap, as many as would else be above it; the rest shares what is left
	SELECT count(*), coalesce(sum(y.score), 0) INTO above, above_sum
	FROM (SELECT exact(s.score) AS score, s.rank, sum(exact(s.score)) OVER (ORDER BY s.rank) - exact(s.score) AS before
		FROM unnest(pool_top((pool).epoch_id, (pool).component, cap_bps)) WITH ORDINALITY s (score, rank)) y
	WHERE (payable - (y.rank - 1) * cap) * others * y.score > cap * (total - others * y.before);
	RETURN least(cap, floor((payable - above * cap) * score / (total - others * above_sum)));
END $$;
COMMENT ON FUNCTION newcomer_amount(double precision, double precision, epoch_pool, int) IS
'base units that a pool would have paid a newcomer with this score, when the scores of all had been so much more: rounded down. Under a cap the other providers are taken to share in the proportions in which they did. NULL for NULL';

-- ---- the pools that depend on no field ----

CREATE FUNCTION newcomer_units(n newcomer, region text, resources jsonb)
RETURNS TABLE (component code, own double precision, more double precision)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	-- of its region
	RETURN QUERY
	SELECT 'resource_gaps'::code, coalesce(sum(exact(n.tenure * q.pot * u.units / nullif(q.units, 0))), 0)::double precision,
		coalesce(sum(exact(q.pot * (q.mature_units + n.tenure * u.units) / nullif(q.units, 0))) - sum(exact(coalesce(q.pot_before * q.mature_units / nullif(q.units_before, 0), 0))), 0)::double precision
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y WHERE newcomer_units.region IS NOT NULL) u
		JOIN LATERAL (SELECT coalesce(a.units, 0) + u.units AS units, coalesce(a.units, 0) AS units_before, coalesce(a.mature_units, 0) AS mature_units, coalesce(a.pot, 0) AS pot_before,
				n.days * y.unit_value::double precision * n.kept * greatest(0, least(coalesce(a.units, 0) + u.units, coalesce(a.demand, 0))
					- least(CASE WHEN n.baseline THEN coalesce(a.units, 0) + u.units ELSE coalesce(a.reference, 0) END, coalesce(a.demand, 0))) AS pot
			FROM policy_resource y LEFT JOIN epoch_region_resource a ON a.epoch_id = n.epoch_id AND a.region = newcomer_units.region AND a.resource_type = y.resource_type
			WHERE y.policy_id = n.policy_id AND y.resource_type = u.resource_type) q ON true;

	-- more of it makes it cheaper
	RETURN QUERY
	SELECT 'resource_types'::code, coalesce(sum(exact(n.days * u.units * q.unit_value * q.markup)), 0)::double precision,
		coalesce(sum(exact(n.days * q.unit_value * ((q.units + u.units) * q.markup - q.units * q.markup_before))), 0)::double precision
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y) u
		JOIN LATERAL (SELECT a.units, a.unit_value, a.markup AS markup_before, price_markup(a.price_before,
				next_price(a.price_before, a.demand, a.units + u.units, n.days, p.price_elasticity, p.price_step, y.price_min, y.price_max), n.days, p.price_step) AS markup
			FROM epoch_resource a JOIN policy_resource y ON y.policy_id = n.policy_id AND y.resource_type = a.resource_type JOIN policy p ON p.policy_id = n.policy_id
			WHERE a.epoch_id = n.epoch_id AND a.resource_type = u.resource_type) q ON true;

	-- all its units are growth
	RETURN QUERY
	SELECT 'network_capacity'::code, coalesce(sum(exact(n.tenure * q.pot * u.units / nullif(q.growth, 0))), 0)::double precision,
		coalesce(sum(exact(q.pot * (q.mature_growth + n.tenure * u.units) / nullif(q.growth, 0))) - sum(exact(coalesce(q.pot_before * q.mature_growth / nullif(q.growth_before, 0), 0))), 0)::double precision
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y WHERE NOT n.baseline) u
		JOIN LATERAL (SELECT a.growth + u.units AS growth, a.growth AS growth_before, a.mature_growth, a.pot AS pot_before,
				n.days * a.unit_value * least(n.kept * greatest(0, a.units + u.units - a.reference), a.need) AS pot
			FROM epoch_resource a WHERE a.epoch_id = n.epoch_id AND a.resource_type = u.resource_type) q ON true;
END $$;
COMMENT ON FUNCTION newcomer_units(newcomer, text, jsonb) IS
'what a newcomer with these units scores in a region (NULL: none) in resource_gaps, resource_types and network_capacity, and by how much the scores of all rise with it';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);

-- ---- at a place ----

CREATE FUNCTION simulate_node(location geography, radius_m double precision, resources jsonb, epoch_id bigint DEFAULT NULL)
RETURNS TABLE (component code, score double precision, score_of_all double precision, payable numeric, amount numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = swarm_reward_internal, swarm_reward, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
	n newcomer := make_newcomer($4, $2, $3);
	here text;
	f record;
BEGIN
	IF location IS NULL THEN
		PERFORM raise_plainly('22004', 'a node without a location earns nothing that could be told', NULL, 'Give its place, for example ''POINT(8.68 50.11)''.');
	END IF;
	here := region_among(n.codes, region_boundaries(n.at), location, n.region_snap_m);
	SELECT * INTO f FROM newcomer_scores(n.epoch_id, n.codes, n.reach_m, n.contribution, n.tenure, n.freshness, n.supply_target, n.kept, n.faded, n.baseline, n.days,
		n.multiplier_max, location, coalesce(array_position(n.codes, here), 0));
	RETURN QUERY
	SELECT c.code, v.own, greatest(0, q.score + v.more), CASE WHEN q.score + v.more > 0 THEN least(q.budget + q.carried_in, floor(q.price_max * exact(q.score + v.more))) ELSE 0 END,
		newcomer_amount(v.own, v.more, q, p.provider_cap_bps)
	FROM component c JOIN epoch_pool q ON q.epoch_id = n.epoch_id AND q.component = c.code JOIN policy p ON p.policy_id = n.policy_id
		LEFT JOIN newcomer_units(n, here, resources) u ON u.component = c.code,
		LATERAL (SELECT CASE c.code WHEN 'geographic_gaps' THEN f.gap WHEN 'new_regions' THEN f.region_own ELSE coalesce(u.own, 0) END AS own,
			CASE c.code WHEN 'geographic_gaps' THEN f.gap_more WHEN 'new_regions' THEN f.region_more ELSE coalesce(u.more, 0) END AS more) v
	ORDER BY c."position";
END $$;
COMMENT ON FUNCTION simulate_node(geography, double precision, jsonb, bigint) IS
'what one more node at a place would have earned in an epoch (NULL: the last computed one), by component: a row for each pool with its score, the score of all with it, what the pool would have had to apportion, and its amount in base units, rounded down: within one base unit of really adding it. The node has hardware and a provider of its own, was a member from beginning to end, joined at the start, has quality 1 and place trust 1, units as {"gpu": 4} says, and does no services. radius in metres. Under a provider cap the others are taken to share in the proportions in which they did. Errors: no such epoch, nothing computed, a radius outside (0, 5 000 000], units that are no numbers, unknown kinds of resources, a location that is NULL or no point';
REVOKE ALL ON FUNCTION simulate_node(geography, double precision, jsonb, bigint) FROM PUBLIC;

-- ---- everywhere ----

CREATE FUNCTION reward_map(epoch_id bigint, radius_m double precision, resources jsonb, grid_order int DEFAULT NULL) RETURNS coverage
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = swarm_reward_internal, swarm_reward, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
	n newcomer := make_newcomer($1, $2, $3);
	cap int;
	others double precision[];
	gap epoch_pool;
	region epoch_pool;
BEGIN
	IF $4 > n.grid_order OR $4 < 0 THEN
		RAISE EXCEPTION 'grid order % is not from 0 to %, that of the epoch''s fields', $4, n.grid_order
			USING ERRCODE = 'invalid_parameter_value', HINT = 'A lower order takes less time: nodes are tried at the centres of fewer cells.';
	END IF;
	SELECT p.provider_cap_bps INTO cap FROM policy p WHERE p.policy_id = n.policy_id;
	SELECT * INTO gap FROM epoch_pool q WHERE q.epoch_id = n.epoch_id AND q.component = 'geographic_gaps';
	SELECT * INTO region FROM epoch_pool q WHERE q.epoch_id = n.epoch_id AND q.component = 'new_regions';
	-- only where a kind of resource is wanted does its region matter
	WITH amount AS MATERIALIZED (
		SELECT g.region, (SELECT sum(newcomer_amount(u.own, u.more, q, cap)) FROM newcomer_units(n, g.region, resources) u
			JOIN epoch_pool q ON q.epoch_id = n.epoch_id AND q.component = u.component)::double precision AS amount
		FROM (SELECT DISTINCT a.region FROM epoch_region_resource a WHERE a.epoch_id = n.epoch_id AND resources ? a.resource_type
			UNION SELECT NULL) g
	)
	SELECT array_agg(coalesce(a.amount, (SELECT z.amount FROM amount z WHERE z.region IS NULL)) ORDER BY c."position") INTO others
	FROM (SELECT 0 AS "position", NULL AS code UNION ALL SELECT r."position", r.code FROM unnest(n.codes) WITH ORDINALITY r (code, "position")) c
		LEFT JOIN amount a ON a.region = c.code;
	RETURN newcomer_map(n.epoch_id, n.codes, n.reach_m, n.contribution, n.tenure, n.freshness, n.supply_target, n.kept, n.faded, n.baseline, n.days, n.multiplier_max,
		region_field(region_boundaries(n.at), n.region_snap_m, coalesce($4, n.grid_order)), others, coalesce(cap, 0),
		ARRAY[gap.budget + gap.carried_in, coalesce(gap.price_max, 'Infinity'), exact(gap.score)]::double precision[], pool_top(n.epoch_id, 'geographic_gaps', cap),
		ARRAY[region.budget + region.carried_in, coalesce(region.price_max, 'Infinity'), exact(region.score)]::double precision[], pool_top(n.epoch_id, 'new_regions', cap));
END $$;
COMMENT ON FUNCTION reward_map(bigint, double precision, jsonb, int) IS
'what one more node would have earned in an epoch (NULL: the last computed one) at the centre of each cell, in base units, all pools together: the sum of the amounts of simulate_node there, as far as a float8 can tell. grid_order: of the result, that of the epoch''s fields (NULL) or lower, where nodes are tried at fewer places, each as exactly. radius in metres, units as {"gpu": 4} says. Takes time in proportion to cells times wanted cells in a disc, and 92 bytes of memory for each wanted cell (and region that wants it) and 4 for each cell of the epoch''s grid. Errors: those of simulate_node, a grid order above the epoch''s';
REVOKE ALL ON FUNCTION reward_map(bigint, double precision, jsonb, int) FROM PUBLIC;
