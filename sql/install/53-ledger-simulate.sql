-- What a node would have earned.

CREATE FUNCTION region_of(location geography) RETURNS code
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT s.codes[covering_region(s.boundaries, geog_checked_point(location))]
	FROM (SELECT array_agg(r.code ORDER BY r.area, r.code) AS codes, array_agg(r.boundary ORDER BY r.area, r.code) AS boundaries
		FROM (SELECT g.code, g.boundary, region_area(g.boundary) AS area FROM region g) r) s;
END;
COMMENT ON FUNCTION region_of(geography) IS
'the region that a node at a place belongs to: the smallest that covers it, ties by code; NULL if none does, or for NULL; anything but a point with SRID 4326 is an error';

-- ---- what is asked, checked ----

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

-- ---- the answer ----

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
