-- Verify: is an epoch what was sealed, and what its own rows give?
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- Rows of one query that the other does not have, and the other way round. Both have the same columns;
-- each is computed once.
CREATE FUNCTION count_differences(made text, stored text) RETURNS bigint
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format($q$
		WITH a AS MATERIALIZED (%s), b AS MATERIALIZED (%s), d AS (SELECT count(*) AS n FROM (TABLE a EXCEPT ALL TABLE b) x)
		SELECT d.n + (SELECT count(*) FROM b) - ((SELECT count(*) FROM a) - d.n) FROM d $q$, made, stored) INTO n;
	RETURN n;
END $$;
COMMENT ON FUNCTION count_differences(text, text) IS 'how many rows only one of two queries has. NULL for NULL';

CREATE FUNCTION swarm_reward.verify_epoch(epoch_id bigint) RETURNS TABLE (check_name text, ok boolean, detail text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET jit = off SET extra_float_digits = 1 AS $$
#variable_conflict use_column
DECLARE
	e epoch := computed_epoch(verify_epoch.epoch_id);
	p policy;
	bad bigint;
	length_days double precision := days(e.period);
	node text := epoch_table('epoch_node', e.epoch_id);
	rewards text := epoch_table('reward', e.epoch_id);
	x record;
BEGIN
	SELECT * INTO p FROM policy y WHERE y.policy_id = e.policy_id;
	FOR x IN
		SELECT s.relation, s.row_count, n.row_count AS rows_now, s.digest = n.digest AND s.row_count = n.row_count AS same
		FROM epoch_seals(e.epoch_id) n FULL JOIN (SELECT * FROM epoch_seal o WHERE o.epoch_id = e.epoch_id) s ON s.relation = n.relation
		WHERE NOT (n.relation IS NULL AND is_archived(e.epoch_id))
		ORDER BY s.relation
	LOOP
		RETURN QUERY SELECT 'seal of ' || x.relation, coalesce(x.same, false), format('%s rows sealed, %s are there', x.row_count, x.rows_now);
	END LOOP;
	RETURN QUERY SELECT 'digest', e.digest = epoch_digest(e.epoch_id), 'over the seals and the digest of the previous epoch';
	RETURN QUERY SELECT 'engine', true, format('computed by %s, checked by %s', e.engine, engine_version());
	IF is_archived(e.epoch_id) THEN
		RETURN QUERY SELECT 'archived', true, 'its rows were archived: what they give cannot be computed again';
		RETURN;
	END IF;

	-- nodes: each row by itself
	EXECUTE format($q$
		SELECT count(*) FROM %s n
		WHERE (n.availability, n.performance, n.quality, n.contribution, n.supply, n.demand_in_reach) IS DISTINCT FROM (
			ramp(n.uptime, $1.uptime_floor::double precision, $1.uptime_target::double precision), performance(n.response_ms, n.error_rate_upper, $1.response_limit_ms::double precision, $1.response_target_ms::double precision, $1.error_limit::double precision, $1.error_target::double precision),
			CASE WHEN n.counts AND n.violations < $1.min_violations THEN n.availability * n.performance ELSE 0 END, n.quality * n.value,
			CASE WHEN n.demand_in_reach > 0 THEN n.contribution * n.place_trust / n.demand_in_reach ELSE 0 END, coverage_sum($2, n.location, n.reach_m)) $q$, node)
	INTO bad USING p, e.demand;
	RETURN QUERY SELECT 'quality and contribution of nodes', bad = 0, format('%s nodes differ', bad);

	-- fields
	RETURN QUERY SELECT 'demand field', e.demand = coalesce((SELECT sum(d.demand) FROM epoch_region_demand d WHERE d.epoch_id = e.epoch_id), zero_coverage(p.grid_order)), 'sum over regions';
	RETURN QUERY SELECT 'supply field', e.supply = supply_field(e.epoch_id, p.grid_order) AND e.mature_supply = supply_field(e.epoch_id, p.grid_order, mature => true), 'over nodes';
	RETURN QUERY SELECT 'reference field', e.reference = CASE WHEN e.previous_epoch_id IS NOT NULL THEN (SELECT o.next_reference FROM epoch o WHERE o.epoch_id = e.previous_epoch_id)
			WHEN e.baseline THEN served_field(e.supply, p.supply_target::double precision) ELSE zero_coverage(p.grid_order) END
		AND e.next_reference = follow(e.reference, served_field(e.supply, p.supply_target::double precision), decay(length_days, p.vesting_half_life), decay(length_days, p.memory_half_life)),
		'where the previous epoch ended, and where it goes';

	-- owners
	EXECUTE format('SELECT count(*) FROM %s o WHERE o.next_reference IS DISTINCT FROM follow(o.reference, o.units, $1, $2)', epoch_table('epoch_owner_rest', e.epoch_id))
	INTO bad USING decay(length_days, p.vesting_half_life), decay(length_days, p.memory_half_life);
	RETURN QUERY SELECT 'references of owners', bad = 0, format('%s differ', bad);
	bad := count_differences(format($q$
			WITH part AS (SELECT n.provider_id, n.hardware_id, r.reference IS NOT NULL AS is_lone, r.resource_type, n.quality * r.units AS held
				FROM %1$s n JOIN %2$s r ON r.node_id = n.node_id),
			total AS (SELECT q.provider_id, q.hardware_id IS NULL AS unattested, q.resource_type, exact_sum(q.held) AS units FROM part q GROUP BY 1, 2, 3)
			SELECT v.kind, v.owner COLLATE "C", v.resource_type, v.units::double precision
			FROM (SELECT 'provider' AS kind, t.provider_id::text AS owner, t.resource_type, sum(t.units) AS units FROM total t GROUP BY t.provider_id, t.resource_type
				UNION ALL SELECT 'unattested', t.provider_id::text, t.resource_type, t.units FROM total t WHERE t.unattested
				UNION ALL SELECT 'unattested', 'all', t.resource_type, sum(t.units) FROM total t WHERE t.unattested GROUP BY t.resource_type
				UNION ALL SELECT 'hardware', q.hardware_id, q.resource_type, exact_sum(q.held) FROM part q WHERE q.hardware_id IS NOT NULL AND NOT q.is_lone GROUP BY q.hardware_id, q.resource_type) v
			WHERE v.units > 0 $q$, node, epoch_table('epoch_node_resource', e.epoch_id)),
		format('SELECT o.kind, o.owner, o.resource_type, o.units FROM %s o WHERE o.units > 0', epoch_table('epoch_owner_rest', e.epoch_id)));
	RETURN QUERY SELECT 'units of owners', bad = 0, format('%s differ', bad);

	-- regions and kinds of resources; who is not there any more cannot be read from the facts, but from the sealed rows
	EXECUTE 'SELECT count_differences($1, $2)' INTO bad USING
		format('SELECT r.region, r.demand, r.multiplier, r.need, r.pot FROM epoch_region r WHERE r.epoch_id = %s', e.epoch_id),
		format($q$SELECT r.region, coalesce(coverage_sum(d.demand), 0), region_multiplier(r.given, r.demand, r.target_fraction, %2$L::double precision),
				%3$L::double precision * greatest(0, r.target_fraction * r.demand - r.given), (r.multiplier - 1) * least(r.fresh, r.need) * %4$L::double precision
			FROM epoch_region r LEFT JOIN epoch_region_demand d ON d.epoch_id = r.epoch_id AND d.region = r.region WHERE r.epoch_id = %1$s$q$,
			e.epoch_id, p.region_multiplier_max, p.supply_target, length_days);
	RETURN QUERY SELECT 'regions', bad = 0, format('%s differ', bad);

	-- scores, pools, rewards
	bad := count_differences(format($q$
			SELECT w.component, w.budget, w.carried_in, coalesce(t.score, 0)::double precision,
				CASE WHEN w.score > 0 THEN least(w.budget + w.carried_in, floor(w.price_max * exact(w.score))) ELSE 0 END, coalesce(t.amount, 0)
			FROM (SELECT s.component, allocate(s.bps::numeric, %3$L::numeric) OVER (ORDER BY s."position") AS budget FROM pool_share((SELECT y FROM policy y WHERE y.policy_id = %4$s)) s) c
				JOIN epoch_pool w ON w.epoch_id = %1$s AND w.component = c.component AND w.budget = c.budget
				LEFT JOIN (SELECT r.component, exact_sum(r.score) AS score, sum(r.amount) AS amount FROM %2$s r GROUP BY r.component) t ON t.component = w.component $q$,
			e.epoch_id, rewards, e.budget, p.policy_id),
		format('SELECT w.component, w.budget, w.carried_in, w.score, w.payable, w.paid FROM epoch_pool w WHERE w.epoch_id = %s', e.epoch_id));
	RETURN QUERY SELECT 'pools', bad = 0, format('%s differ', bad);
	EXECUTE format($q$
		WITH score_of_lot AS MATERIALIZED (%1$s), portion AS MATERIALIZED (%4$s)
		SELECT count(*) FILTER (WHERE a.score IS DISTINCT FROM b.score) AS scores, count(*) FILTER (WHERE a.amount IS DISTINCT FROM b.amount) AS amounts
		FROM (%2$s) a FULL JOIN %3$s b ON b.node_id = a.node_id AND b.component = a.component $q$,
		score_query(e, p), reward_query(p, 'score_of_lot', 'portion'), rewards, portion_query(e.epoch_id, p, 'score_of_lot'))
	INTO x;
	RETURN QUERY VALUES ('scores', x.scores = 0, format('%s differ', x.scores)), ('amounts', x.amounts = 0, format('%s differ', x.amounts));
	bad := count_differences(
		format('SELECT r.provider_id, r.component, count(*), exact_total(r.score), sum(r.amount) FROM %s r GROUP BY r.provider_id, r.component', rewards),
		format('SELECT v.provider_id, v.component, v.nodes, v.score, v.amount FROM epoch_provider v WHERE v.epoch_id = %s', e.epoch_id));
	RETURN QUERY SELECT 'sums of providers', bad = 0, format('%s differ', bad);
	RETURN QUERY SELECT 'balance', sum(w.budget) = e.budget AND bool_and(w.budget + w.carried_in = w.paid + w.carried_out + w.treasury),
		'budget = parts; part + carried in = paid + carried out + treasury' FROM epoch_pool w WHERE w.epoch_id = e.epoch_id;
END $$;
COMMENT ON FUNCTION swarm_reward.verify_epoch(bigint) IS
'checks a computed or final epoch against its seal, and computes again from its frozen rows what they give: qualities, fields, references, scores, pools and every amount. A row for each check, ok or not. Reads no facts. Errors: no such epoch, or one that has no results';
REVOKE ALL ON FUNCTION swarm_reward.verify_epoch(bigint) FROM PUBLIC;

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
