-- How facts and rules change: by rows that begin, not by rows that are overwritten.

CREATE FUNCTION swarm_reward_internal.point_of(value jsonb) RETURNS geography
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE jsonb_typeof(value)
		WHEN 'array' THEN ST_SetSRID(ST_MakePoint((value ->> 0)::double precision, (value ->> 1)::double precision), 4326)::geography
		WHEN 'object' THEN ST_SetSRID(ST_GeomFromGeoJSON(value), 4326)::geography
		ELSE ST_GeogFromText(value #>> '{}') END;
END;
COMMENT ON FUNCTION swarm_reward_internal.point_of(jsonb) IS 'a place from [longitude, latitude], a GeoJSON point, or a text such as "POINT(8.68 50.11)"; NULL for NULL';

CREATE FUNCTION set_node_resource(node_id bigint, resource_type text, units numeric, since timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql SET search_path = swarm_reward_internal, swarm_reward, pg_temp AS $$
#variable_conflict use_variable
BEGIN
	IF units IS NULL OR since IS NULL OR NOT isfinite(since) THEN
		RAISE EXCEPTION 'cannot set % of node % to % since %', coalesce(resource_type, 'NULL'), coalesce(node_id::text, 'NULL'), coalesce(units::text, 'NULL'), coalesce(since::text, 'NULL')
			USING ERRCODE = 'null_value_not_allowed', HINT = 'Give units of at least 0 and a finite time.';
	END IF;
	IF units <> round(units, 9) THEN
		RAISE EXCEPTION 'cannot set % of node % to %: units have at most nine decimals', resource_type, node_id, units
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Use a smaller unit of the kind of resource.';
	END IF;
	IF NOT EXISTS (SELECT FROM node n WHERE n.node_id = node_id) THEN
		PERFORM unknown_id('node', node_id);
	END IF;
	-- who says again what is so already changes nothing
	IF EXISTS (SELECT FROM node_resource r WHERE r.node_id = node_id AND r.resource_type = resource_type::code AND r.units = units
			AND r.valid @> since AND upper(r.valid) IS NULL) THEN
		RETURN;
	END IF;
	DELETE FROM node_resource r WHERE r.node_id = node_id AND r.resource_type = resource_type::code AND lower(r.valid) >= since;
	UPDATE node_resource r SET valid = tstzrange(lower(r.valid), since)
	WHERE r.node_id = node_id AND r.resource_type = resource_type::code AND r.valid @> since;
	INSERT INTO node_resource (node_id, resource_type, units, valid) VALUES (node_id, resource_type, units, tstzrange(since, NULL));
END $$;
COMMENT ON FUNCTION set_node_resource(bigint, text, numeric, timestamptz) IS
'from a time on a node declares so many units of a kind of resource, whatever was said of that time before; 0: none any more. Errors: an unknown node or kind of resource, units that are NULL, negative or beyond nine decimals, a time that is NULL or infinite';

CREATE FUNCTION replace_node(node_id bigint, at timestamptz DEFAULT now(), location geography DEFAULT NULL, service_radius_m double precision DEFAULT NULL,
	provider_id bigint DEFAULT NULL, hardware_id text DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = swarm_reward_internal, swarm_reward, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	o node;
	successor bigint;
BEGIN
	SELECT * INTO o FROM node n WHERE n.node_id = node_id FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM unknown_id('node', node_id);
	END IF;
	IF at IS NULL OR at <= o.joined_at OR at > o.left_at THEN
		RAISE EXCEPTION 'node % cannot be replaced at %: its stay is from % until %', node_id, coalesce(at::text, 'NULL'), o.joined_at, coalesce(o.left_at::text, 'not known yet')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a time within its stay.';
	END IF;
	UPDATE node n SET left_at = at, external_id = NULL WHERE n.node_id = node_id;
	INSERT INTO node (external_id, provider_id, hardware_id, location, service_radius_m, joined_at, left_at, predecessor_id, name)
	VALUES (o.external_id, coalesce(provider_id, o.provider_id), coalesce(hardware_id, o.hardware_id), coalesce(location, o.location),
		coalesce(service_radius_m, o.service_radius_m), at, CASE WHEN o.left_at > at THEN o.left_at END, node_id, o.name)
	RETURNING node.node_id INTO successor;
	INSERT INTO node_resource (node_id, resource_type, units, valid)
	SELECT successor, r.resource_type, r.units, tstzrange(greatest(lower(r.valid), at), upper(r.valid))
	FROM node_resource r WHERE r.node_id = node_id AND coalesce(upper(r.valid), 'infinity') > at;
	DELETE FROM node_resource r WHERE r.node_id = node_id AND lower(r.valid) >= at;
	UPDATE node_resource r SET valid = tstzrange(lower(r.valid), at) WHERE r.node_id = node_id AND r.valid @> at;
	INSERT INTO node_suspension (node_id, valid, reason)
	SELECT successor, tstzrange(greatest(lower(s.valid), at), upper(s.valid)), s.reason
	FROM node_suspension s WHERE s.node_id = node_id AND coalesce(upper(s.valid), 'infinity') > at;
	RETURN successor;
END $$;
COMMENT ON FUNCTION replace_node(bigint, timestamptz, geography, double precision, bigint, text) IS
'ends the stay of a node at a time and begins its successor there: at another place, with another radius (metres), under another provider, or as other hardware; what is NULL stays as it is. The successor takes over the external_id, the resources declared from then on and suspensions; returns its node_id. Errors: an unknown node, a time outside its stay or before an epoch that has used it, hardware that is elsewhere then';

CREATE FUNCTION correct_node(node_id bigint, changes jsonb, reason text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = swarm_reward_internal, swarm_reward, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	o node;
	wrong text;
BEGIN
	IF coalesce(reason, '') = '' THEN
		RAISE EXCEPTION 'a correction of node % needs a reason', coalesce(node_id::text, 'NULL') USING ERRCODE = 'null_value_not_allowed', HINT = 'Say why, as the last argument: it is kept in swarm_reward.audit.';
	END IF;
	SELECT * INTO o FROM node n WHERE n.node_id = node_id FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM unknown_id('node', node_id);
	END IF;
	IF jsonb_typeof(changes) IS DISTINCT FROM 'object' OR changes = '{}' THEN
		RAISE EXCEPTION 'changes of node % are no JSON object with values: %', node_id, coalesce(changes::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"location": [8.68, 50.11]} or {"joined_at": "2026-01-01T00:00:00Z"}.';
	END IF;
	SELECT k INTO wrong FROM jsonb_object_keys(changes) k
	WHERE k NOT IN ('provider_id', 'hardware_id', 'location', 'service_radius_m', 'joined_at', 'left_at', 'predecessor_id');
	IF FOUND THEN
		RAISE EXCEPTION 'a node has no % to correct', wrong
			USING ERRCODE = 'undefined_column', HINT = 'What can be corrected is provider_id, hardware_id, location, service_radius_m, joined_at, left_at, predecessor_id; name and external_id by UPDATE.';
	END IF;
	FOR wrong IN SELECT k FROM jsonb_object_keys(changes) k LOOP
		BEGIN
			CASE WHEN wrong = 'location' THEN PERFORM point_of(changes -> 'location'); ELSE PERFORM jsonb_populate_record(o, jsonb_build_object(wrong, changes -> wrong)); END CASE;
		EXCEPTION WHEN OTHERS THEN
			RAISE EXCEPTION '% of node % cannot be %', wrong, node_id, changes -> wrong USING ERRCODE = 'invalid_parameter_value', DETAIL = SQLERRM,
				HINT = CASE wrong WHEN 'location' THEN 'Give [longitude, latitude], a GeoJSON point, or a text such as "POINT(8.68 50.11)".' ELSE 'See \d+ swarm_reward.node.' END;
		END;
	END LOOP;
	INSERT INTO node_correction (node_id, changes, reason) VALUES (node_id, changes, reason);
	PERFORM set_config('swarm_reward.reason', reason, true);
	UPDATE node n SET
		provider_id = CASE WHEN changes ? 'provider_id' THEN (changes ->> 'provider_id')::bigint ELSE n.provider_id END,
		hardware_id = CASE WHEN changes ? 'hardware_id' THEN changes ->> 'hardware_id' ELSE n.hardware_id END,
		location = CASE WHEN changes ? 'location' THEN point_of(changes -> 'location') ELSE n.location END,
		service_radius_m = CASE WHEN changes ? 'service_radius_m' THEN (changes ->> 'service_radius_m')::double precision ELSE n.service_radius_m END,
		joined_at = CASE WHEN changes ? 'joined_at' THEN (changes ->> 'joined_at')::timestamptz ELSE n.joined_at END,
		left_at = CASE WHEN changes ? 'left_at' THEN (changes ->> 'left_at')::timestamptz ELSE n.left_at END,
		predecessor_id = CASE WHEN changes ? 'predecessor_id' THEN (changes ->> 'predecessor_id')::bigint ELSE n.predecessor_id END
	WHERE n.node_id = node_id;
	PERFORM set_config('swarm_reward.reason', '', true);
END $$;
COMMENT ON FUNCTION correct_node(bigint, jsonb, text) IS
'corrects what a node''s row says of the past: provider_id, hardware_id, location ([longitude, latitude], GeoJSON or text), service_radius_m, joined_at, left_at, predecessor_id. Computed epochs that used it are stale and are computed again; a final one changes only by restate_epoch. The reason is recorded in audit. Errors: an unknown node, a key that cannot be corrected, values out of range, no reason';
REVOKE ALL ON FUNCTION set_node_resource(bigint, text, numeric, timestamptz), replace_node(bigint, timestamptz, geography, double precision, bigint, text),
	correct_node(bigint, jsonb, text) FROM PUBLIC;

CREATE FUNCTION new_policy(template text, name text, effective_from timestamptz, changes jsonb DEFAULT '{}', unit_values jsonb DEFAULT '{}', day_price numeric DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = swarm_reward_internal, swarm_reward, pg_temp AS $$
#variable_conflict use_variable
DECLARE
	t policy;
	made policy;
	wrong text;
BEGIN
	SELECT * INTO t FROM policy p WHERE p.name = template;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'there is no policy %', coalesce(quote_literal(template), 'NULL')
			USING ERRCODE = 'no_data_found', HINT = format('There are: %s.', (SELECT string_agg(quote_literal(p.name), ', ' ORDER BY p.policy_id) FROM policy p));
	END IF;
	changes := coalesce(changes, '{}');
	unit_values := coalesce(unit_values, '{}');
	IF jsonb_typeof(changes) <> 'object' OR jsonb_typeof(unit_values) <> 'object' THEN
		RAISE EXCEPTION 'changes and unit_values of a policy are no JSON objects: %, %', changes, unit_values
			USING ERRCODE = 'invalid_parameter_value', HINT = 'For example {"supply_target": 2} and {"gpu": 5}.';
	END IF;
	SELECT k INTO wrong FROM jsonb_object_keys(changes) k
	WHERE NOT to_jsonb(t) ? k OR k IN ('policy_id', 'name', 'effective_from', 'is_builtin') LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'a policy has no parameter % to change', wrong
			USING ERRCODE = 'undefined_column', HINT = 'The columns of swarm_reward.policy are the parameters: \d+ swarm_reward.policy.';
	END IF;
	FOR wrong IN SELECT k FROM jsonb_object_keys(changes) k LOOP
		BEGIN
			PERFORM jsonb_populate_record(t, jsonb_build_object(wrong, changes -> wrong));
		EXCEPTION WHEN data_exception THEN
			RAISE EXCEPTION 'parameter % of a policy cannot be %', wrong, changes -> wrong USING ERRCODE = 'invalid_parameter_value', DETAIL = SQLERRM,
				HINT = coalesce((SELECT col_description(a.attrelid, a.attnum) FROM pg_attribute a WHERE a.attrelid = 'policy'::regclass AND a.attname = wrong), 'See \d+ swarm_reward.policy.');
		END;
	END LOOP;
	IF day_price <= 0 OR day_price IN ('NaN', 'Infinity') THEN
		RAISE EXCEPTION 'day_price must be positive and finite, not %', day_price
			USING ERRCODE = 'invalid_parameter_value', HINT = 'It is what a unit of contribution may cost a day, in base units; NULL leaves the ceilings of the template.';
	ELSIF day_price IS NOT NULL THEN
		-- to serve a unit of demand takes supply_target of contribution; growth wherever it is, is worth half of growth where it is missing
		made := jsonb_populate_record(t, changes);
		changes := jsonb_build_object('new_regions_price_max', day_price, 'geographic_gaps_price_max', day_price * round(made.supply_target, 12),
			'resource_gaps_price_max', day_price / 2, 'network_capacity_price_max', day_price / 2, 'resource_types_price_max', day_price / 4) || changes;
	END IF;
	SELECT u.key INTO wrong FROM jsonb_each(unit_values) u WHERE NOT EXISTS (SELECT FROM resource_type r WHERE r.code = u.key) ORDER BY u.key LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'there is no kind of resource % to give a value', quote_literal(wrong)
			USING ERRCODE = 'no_data_found', HINT = format('There are: %s. More go into swarm_reward.resource_type.', coalesce((SELECT string_agg(quote_literal(r.code), ', ' ORDER BY r.code) FROM resource_type r), 'none yet'));
	END IF;
	SELECT u.key INTO wrong FROM jsonb_each(unit_values) u WHERE jsonb_typeof(u.value) <> 'number' ORDER BY u.key LIMIT 1;
	IF FOUND THEN
		RAISE EXCEPTION 'the value of a unit of % cannot be %', wrong, unit_values -> wrong
			USING ERRCODE = 'invalid_parameter_value', HINT = 'unit_values has a number for each kind of resource, as in {"gpu": 5}.';
	END IF;
	made := jsonb_populate_record(t, changes || jsonb_build_object('name', name, 'effective_from', effective_from, 'is_builtin', false,
		'policy_id', nextval('policy_policy_id_seq'), 'note', changes -> 'note'));
	INSERT INTO policy SELECT made.*;
	INSERT INTO policy_resource (policy_id, resource_type, unit_value, need, price_min, price_max)
	SELECT made.policy_id, r.resource_type, r.unit_value, r.need, r.price_min, r.price_max FROM policy_resource r WHERE r.policy_id = t.policy_id AND NOT unit_values ? r.resource_type;
	INSERT INTO policy_resource (policy_id, resource_type, unit_value, need, price_min, price_max)
	SELECT made.policy_id, u.key, u.value::numeric, r.need, coalesce(r.price_min, 0.25), coalesce(r.price_max, 8)
	FROM jsonb_each_text(unit_values) u LEFT JOIN policy_resource r ON r.policy_id = t.policy_id AND r.resource_type = u.key;
	INSERT INTO policy_service SELECT (jsonb_populate_record(s, jsonb_build_object('policy_id', made.policy_id))).* FROM policy_service s WHERE s.policy_id = t.policy_id;
	INSERT INTO policy_region SELECT (jsonb_populate_record(s, jsonb_build_object('policy_id', made.policy_id))).* FROM policy_region s WHERE s.policy_id = t.policy_id;
	INSERT INTO specialization SELECT (jsonb_populate_record(s, jsonb_build_object('policy_id', made.policy_id))).* FROM specialization s WHERE s.policy_id = t.policy_id;
	RETURN made.policy_id;
END $$;
COMMENT ON FUNCTION new_policy(text, text, timestamptz, jsonb, jsonb, numeric) IS
'a new version of the rules: a copy of the policy called template with all its parts, under a name, in effect from a time after every computed epoch (NULL: a draft). changes: parameters with other values, as {"supply_target": 2}; unit_values: values of a unit by kind of resource, as {"gpu": 5}; either may be NULL; day_price: what a unit of contribution may cost a day, base units, from which five price ceilings are set where changes do not name them: new_regions day_price, geographic_gaps day_price * supply_target, resource_gaps and network_capacity a half, resource_types a quarter of it. Returns its policy_id. Errors: no such template, a name that is taken, a parameter that does not exist, values out of range, a kind of resource that does not exist, a day_price that is not positive, a time before the end of a computed epoch';
REVOKE ALL ON FUNCTION new_policy(text, text, timestamptz, jsonb, jsonb, numeric) FROM PUBLIC;
