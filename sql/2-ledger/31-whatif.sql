-- What one more node would have earned, in closed form from the stored fields and sums.

CREATE FUNCTION swarm_reward_internal.disc_field(location geography, radius_m double precision, grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coverage_agg(location, radius_m, 1::double precision, grid_order);
END;
COMMENT ON FUNCTION swarm_reward_internal.disc_field(geography, double precision, int) IS '1 within a disc, 0 outside; radius in metres. NULL for NULL';

CREATE FUNCTION simulate_node(location geography, radius_m double precision, resources jsonb, epoch_id bigint DEFAULT NULL)
RETURNS TABLE (component code, score double precision, score_of_all double precision, payable numeric, amount numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = swarm_reward_internal, swarm_reward, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
	e epoch;
	p policy;
	t double precision;			-- supply target
	length_days double precision;
	kept double precision;
	faded double precision;
	m double precision;			-- tenure
	f double precision;			-- freshness
	reach double precision;
	x double precision;			-- contribution
	w double precision;			-- demand in reach
	s double precision := 0;	-- supply
	here text;					-- its region
	is_baseline boolean;
	disc coverage;
	d0 coverage;
	s0 coverage;
	s1 coverage;
	g0 coverage;
	g1 coverage;
	rise coverage;				-- of the mean reference
	z double precision;
	scores jsonb := '{}';
	totals jsonb := '{}';
	r record;
BEGIN
	IF $4 IS NULL THEN
		SELECT * INTO e FROM epoch y WHERE y.status IN ('computed', 'final') ORDER BY y.period DESC LIMIT 1;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'no epoch was computed yet' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CALL swarm_reward.run_epoch(epoch_id) first.';
		END IF;
	ELSE
		e := computed_epoch($4);
	END IF;
	SELECT * INTO p FROM policy y WHERE y.policy_id = e.policy_id;
	IF radius_m IS NULL OR NOT (radius_m > 0 AND radius_m <= 5000000) THEN
		RAISE EXCEPTION 'radius of % m is not above 0 and at most 5000000', coalesce(radius_m::text, 'NULL') USING ERRCODE = 'invalid_parameter_value', HINT = 'service_radius(rtt_ms) makes one of a latency budget.';
	END IF;
	IF jsonb_typeof(resources) IS DISTINCT FROM 'object' THEN
		RAISE EXCEPTION 'resources are no JSON object of units: %', coalesce(resources::text, 'NULL') USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"gpu": 4}.';
	END IF;
	FOR r IN SELECT k.key, k.value FROM jsonb_each_text(resources) k LOOP
		IF NOT EXISTS (SELECT FROM resource_type y WHERE y.code = r.key) THEN
			RAISE EXCEPTION 'there is no kind of resource %', quote_literal(r.key) USING ERRCODE = 'no_data_found', HINT = 'The table swarm_reward.resource_type lists those there are.';
		END IF;
		IF r.value IS NULL OR r.value !~ '^\d+(\.\d+)?$' THEN
			RAISE EXCEPTION 'units of % are no number of at least 0: %', r.key, coalesce(r.value, 'NULL') USING ERRCODE = 'invalid_parameter_value';
		END IF;
	END LOOP;

	t := p.supply_target;
	length_days := days(e.period);
	kept := kappa(length_days, p.vesting_half_life);
	faded := kappa(length_days, p.memory_half_life);
	is_baseline := e.previous_epoch_id IS NULL AND e.baseline;
	m := mean_ramp(0, length_days, days(p.maturity));
	f := 1 - mean_ramp(0, length_days, days(p.freshness));
	reach := least(radius_m, p.max_radius_m);
	SELECT coalesce(sum(y.unit_value * (resources ->> y.resource_type)::numeric), 0)::double precision INTO x FROM policy_resource y WHERE y.policy_id = p.policy_id AND resources ? y.resource_type;
	here := region_among(region_codes(lower(e.period)), region_boundaries(lower(e.period)), location, p.region_snap_m);

	-- fields, within its disc only
	disc := disc_field(location, reach, p.grid_order);
	d0 := e.demand * disc;
	w := coverage_sum(d0);
	IF w > 0 THEN
		s := x / w;
	END IF;
	s0 := e.supply * disc;
	s1 := s0 + disc * s;
	g0 := e.reference * disc;
	g1 := CASE WHEN is_baseline THEN served_field(s1, t) ELSE g0 END;
	rise := follow(g1, served_field(s1, t), kept, faded) - follow(g0, served_field(s0, t), kept, faded);

	-- geographic_gaps: all who share its disc get another score
	scores := scores || jsonb_build_object('geographic_gaps', length_days * m * s * coverage_sum(gap_value_field(d0, s1, g1, t, kept)));
	totals := totals || jsonb_build_object('geographic_gaps', length_days * (coverage_sum((e.mature_supply * disc + disc * (m * s)) * gap_value_field(d0, s1, g1, t, kept))
		- coverage_sum(e.mature_supply * disc * gap_value_field(d0, s0, g0, t, kept))));

	-- new_regions: what is given rises in every region that the disc touches
	z := x * m * f;
	SELECT sum(exact(CASE WHEN q.fresh > 0 THEN (q.multiplier - 1) * least(q.fresh, q.need) * length_days ELSE 0 END))::double precision AS total,
		sum(exact(CASE WHEN q.region = here AND q.fresh > 0 THEN (q.multiplier - 1) * least(q.fresh, q.need) * length_days * (z / q.fresh) ELSE 0 END))::double precision AS own INTO r
	FROM (SELECT y.region, y.fresh + CASE WHEN y.region = here THEN z ELSE 0 END AS fresh,
			region_multiplier(y.given + v.rise, y.demand, y.target_fraction, p.region_multiplier_max::double precision) AS multiplier,
			t * greatest(0, y.target_fraction * y.demand - (y.given + v.rise)) AS need
		FROM epoch_region y LEFT JOIN epoch_region_demand b ON b.epoch_id = y.epoch_id AND b.region = y.region,
			LATERAL (SELECT coalesce(coverage_sum(b.demand * rise), 0) AS rise) v
		WHERE y.epoch_id = e.epoch_id) q;
	scores := scores || jsonb_build_object('new_regions', coalesce(r.own, 0));
	totals := totals || jsonb_build_object('new_regions', coalesce(r.total, 0) - (SELECT q.score FROM epoch_pool q WHERE q.epoch_id = e.epoch_id AND q.component = 'new_regions'));

	-- resource_gaps, of its region
	SELECT coalesce(sum(exact(m * q.pot * u.units / nullif(q.units, 0))), 0)::double precision AS own,
		coalesce(sum(exact(q.pot * (q.mature_units + m * u.units) / nullif(q.units, 0))) - sum(exact(coalesce(q.pot_before * q.mature_units / nullif(q.units_before, 0), 0))), 0)::double precision AS more INTO r
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y) u
		JOIN LATERAL (SELECT coalesce(a.units, 0) + u.units AS units, coalesce(a.units, 0) AS units_before, coalesce(a.mature_units, 0) AS mature_units, coalesce(a.pot, 0) AS pot_before,
				length_days * c.unit_value * kept * greatest(0, least(coalesce(a.units, 0) + u.units, coalesce(a.demand, 0))
					- least(CASE WHEN is_baseline THEN coalesce(a.units, 0) + u.units ELSE coalesce(a.reference, 0) END, coalesce(a.demand, 0))) AS pot
			FROM policy_resource y LEFT JOIN epoch_region_resource a ON a.epoch_id = e.epoch_id AND a.region = here AND a.resource_type = y.resource_type,
				LATERAL (SELECT y.unit_value::double precision AS unit_value) c
			WHERE y.policy_id = p.policy_id AND y.resource_type = u.resource_type) q ON here IS NOT NULL;
	scores := scores || jsonb_build_object('resource_gaps', r.own);
	totals := totals || jsonb_build_object('resource_gaps', r.more);

	-- resource_types: more of it makes it cheaper
	SELECT coalesce(sum(exact(length_days * u.units * q.unit_value * q.markup)), 0)::double precision AS own,
		coalesce(sum(exact(length_days * q.unit_value * ((q.units + u.units) * q.markup - q.units * q.markup_before))), 0)::double precision AS more INTO r
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y) u
		JOIN LATERAL (SELECT a.units, a.unit_value, a.markup AS markup_before, price_markup(a.price_before,
				next_price(a.price_before, a.demand, a.units + u.units, length_days, p.price_elasticity, p.price_step, y.price_min, y.price_max), length_days, p.price_step) AS markup
			FROM epoch_resource a JOIN policy_resource y ON y.policy_id = p.policy_id AND y.resource_type = a.resource_type
			WHERE a.epoch_id = e.epoch_id AND a.resource_type = u.resource_type) q ON true;
	scores := scores || jsonb_build_object('resource_types', r.own);
	totals := totals || jsonb_build_object('resource_types', r.more);

	-- network_capacity: all its units are growth
	SELECT coalesce(sum(exact(m * q.pot * u.units / nullif(q.growth, 0))), 0)::double precision AS own,
		coalesce(sum(exact(q.pot * (q.mature_growth + m * u.units) / nullif(q.growth, 0))) - sum(exact(coalesce(q.pot_before * q.mature_growth / nullif(q.growth_before, 0), 0))), 0)::double precision AS more INTO r
	FROM (SELECT y.key AS resource_type, y.value::double precision AS units FROM jsonb_each_text(resources) y WHERE NOT is_baseline) u
		JOIN LATERAL (SELECT a.growth + u.units AS growth, a.growth AS growth_before, a.mature_growth, a.pot AS pot_before,
				length_days * a.unit_value * least(kept * greatest(0, a.units + u.units - a.reference), a.need) AS pot
			FROM epoch_resource a WHERE a.epoch_id = e.epoch_id AND a.resource_type = u.resource_type) q ON true;
	scores := scores || jsonb_build_object('network_capacity', r.own);
	totals := totals || jsonb_build_object('network_capacity', r.more);

	RETURN QUERY
	SELECT v.code, v.own, v.total, v.payable, CASE WHEN v.own = 0 OR v.total = 0 THEN 0
		WHEN p.provider_cap_bps IS NULL THEN floor(v.payable * exact(v.own) / exact(greatest(v.total, v.own)))
		ELSE (SELECT k.amount FROM (SELECT y.provider_id, allocate(y.score, v.payable, floor(v.payable * p.provider_cap_bps / 10000)) OVER (ORDER BY y.provider_id) AS amount
			-- the others share what is left in the proportions in which they did
			FROM (SELECT o.provider_id, o.score * (greatest(v.total - v.own, 0) / v.before) AS score FROM epoch_provider o WHERE o.epoch_id = e.epoch_id AND o.component = v.code AND v.before > 0
				UNION ALL SELECT 9223372036854775807, v.own) y) k WHERE k.provider_id = 9223372036854775807) END
	FROM (SELECT c.code, c."position", y.own, y.total, q.score AS before, CASE WHEN y.total > 0 THEN least(q.budget + q.carried_in, floor(q.price_max * exact(y.total))) ELSE 0 END AS payable
		FROM component c JOIN epoch_pool q ON q.epoch_id = e.epoch_id AND q.component = c.code,
			LATERAL (SELECT coalesce((scores ->> c.code)::double precision, 0) AS own, greatest(0, q.score + coalesce((totals ->> c.code)::double precision, 0)) AS total) y) v
	ORDER BY v."position";
END $$;
COMMENT ON FUNCTION simulate_node(geography, double precision, jsonb, bigint) IS
'what one more node at a place would have earned in an epoch (NULL: the last computed one), by component: a row for each pool with its score, the score of all with it, what the pool would have paid, and its amount in base units, rounded down: within one base unit of really adding it. The node has hardware and a provider of its own, was a member from beginning to end, joined at the start, has quality 1 and place trust 1, units as {"gpu": 4} says, and does no services. radius in metres. Under a provider cap the others are taken to share in the proportions in which they did. Errors: no such epoch, nothing computed, a radius outside (0, 5 000 000], units that are no numbers, unknown kinds of resources';
REVOKE ALL ON FUNCTION simulate_node(geography, double precision, jsonb, bigint) FROM PUBLIC;
