-- Pools: scores, and the budget apportioned by them.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

-- A lot is what is apportioned on its own: a pool, numbered by its position, or within service_types a service.
CREATE FUNCTION service_lot(epoch_id bigint) RETURNS TABLE (lot int, service_type code, score double precision, good_work double precision, amount numeric)
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT 7 + row_number() OVER (ORDER BY s.service_type)::int, s.service_type, s.score, s.good_work, s.amount FROM epoch_service s WHERE s.epoch_id = service_lot.epoch_id;
END;
COMMENT ON FUNCTION service_lot(bigint) IS 'the services of an epoch, as numbered lots of the pool service_types. No row for NULL';

CREATE FUNCTION score_query(e epoch, p policy) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	length_days double precision := days(e.period);
	kept double precision := kappa(length_days, p.vesting_half_life);
BEGIN
	RETURN format($q$
		SELECT s.lot, s.node_id, s.provider_id, s.score
		FROM (
			SELECT 1 AS lot, n.node_id, n.provider_id,
				r.pot * (n.contribution * n.place_trust * n.tenure * n.freshness / r.fresh) AS score
			FROM %2$s n JOIN epoch_region r ON r.epoch_id = %1$s AND r.region = n.region
			WHERE r.fresh > 0 AND r.pot > 0
			UNION ALL
			SELECT 2, n.node_id, n.provider_id,
				%5$L::double precision * n.tenure * n.supply * coverage_sum(
					(SELECT gap_value_field(e.demand, e.supply, e.reference, %6$L::double precision, %7$L::double precision) FROM epoch e WHERE e.epoch_id = %1$s),
					n.location, n.reach_m)
			FROM %2$s n WHERE n.supply > 0 AND n.tenure > 0
			UNION ALL
			SELECT 3, n.node_id, n.provider_id, exact_total(n.tenure * g.pot * (n.quality * n.place_trust * r.units / g.units))
			FROM %2$s n JOIN %3$s r ON r.node_id = n.node_id
				JOIN epoch_region_resource g ON g.epoch_id = %1$s AND g.region = n.region AND g.resource_type = r.resource_type
			WHERE g.pot > 0
			GROUP BY n.node_id, n.provider_id
			UNION ALL
			SELECT 4, n.node_id, n.provider_id, exact_total(%5$L::double precision * n.quality * r.units * t.unit_value * t.markup)
			FROM %2$s n JOIN %3$s r ON r.node_id = n.node_id
				JOIN epoch_resource t ON t.epoch_id = %1$s AND t.resource_type = r.resource_type
			WHERE t.markup > 0
			GROUP BY n.node_id, n.provider_id
			UNION ALL
			SELECT 5, n.node_id, n.provider_id, exact_total(n.tenure * t.pot * (r.growth / t.growth))
			FROM %2$s n JOIN %3$s r ON r.node_id = n.node_id
				JOIN epoch_resource t ON t.epoch_id = %1$s AND t.resource_type = r.resource_type
			WHERE t.pot > 0 AND t.growth > 0 AND r.growth > 0
			GROUP BY n.node_id, n.provider_id
			UNION ALL
			SELECT t.lot, n.node_id, n.provider_id, t.score * (n.quality * v.work / t.good_work)
			FROM %2$s n JOIN %4$s v ON v.node_id = n.node_id
				JOIN service_lot(%1$s) t ON t.service_type = v.service_type
			WHERE t.score > 0 AND t.good_work > 0
			UNION ALL
			SELECT 7, n.node_id, n.provider_id,
				exact_total(k.weight * v.work * t.unit_value * n.quality * ramp(CASE k.metric WHEN 'p50_latency_ms' THEN v.p50_latency_ms WHEN 'p95_latency_ms' THEN v.p95_latency_ms
					WHEN 'p99_latency_ms' THEN v.p99_latency_ms WHEN 'error_rate_upper' THEN v.error_rate_upper ELSE v.energy_per_work END,
					k.bound, k.target))
			FROM %2$s n JOIN %4$s v ON v.node_id = n.node_id
				JOIN epoch_service t ON t.epoch_id = %1$s AND t.service_type = v.service_type
				-- OFFSET 0, for these to be numbers once and not for each row
				JOIN (SELECT x.service_type, x.metric, x.min_samples, x.weight::double precision AS weight, x.bound::double precision AS bound, x.target::double precision AS target
					FROM specialization x WHERE x.policy_id = %8$s OFFSET 0) k ON (k.service_type IS NULL OR k.service_type = v.service_type) AND v.samples >= k.min_samples
			GROUP BY n.node_id, n.provider_id) s
		WHERE s.score > 0 $q$,
		e.epoch_id, epoch_table('epoch_node', e.epoch_id), epoch_table('epoch_node_resource', e.epoch_id), epoch_table('epoch_node_service', e.epoch_id),
		length_days, p.supply_target, kept, p.policy_id);
END $$;
COMMENT ON FUNCTION score_query(epoch, policy) IS 'query for the scores of all nodes of an epoch that are above 0, by lot';

CREATE FUNCTION pool_share(p policy) RETURNS TABLE (component code, "position" int, bps int, price_max numeric)
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT c.code, c."position", s.bps, s.price_max
	FROM component c JOIN (VALUES
		('new_regions', (p).new_regions_bps, (p).new_regions_price_max), ('geographic_gaps', (p).geographic_gaps_bps, (p).geographic_gaps_price_max),
		('resource_gaps', (p).resource_gaps_bps, (p).resource_gaps_price_max), ('resource_types', (p).resource_types_bps, (p).resource_types_price_max),
		('network_capacity', (p).network_capacity_bps, (p).network_capacity_price_max), ('service_types', (p).service_types_bps, (p).service_types_price_max),
		('specialization', (p).specialization_bps, (p).specialization_price_max)) s (component, bps, price_max) ON s.component = c.code;
END;
COMMENT ON FUNCTION pool_share(policy) IS 'the pools of a policy with their part of the budget, basis points, and their price ceiling. No row for NULL';

CREATE FUNCTION pay_epoch(e epoch, p policy) RETURNS numeric
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	scores text := epoch_table('score', e.epoch_id);
	length_days double precision := days(e.period);
	total numeric;
BEGIN
	PERFORM make_epoch_table('score', e.epoch_id, score_query(e, p));

	-- what each pool has to apportion
	EXECUTE format($q$
		INSERT INTO epoch_pool (epoch_id, component, budget, carried_in, score, price_max, payable, paid, carried_out, treasury, reason)
		SELECT $1, q.component, q.budget, q.carried_in, q.score, q.price_max,
			CASE WHEN q.score > 0 THEN least(q.budget + q.carried_in, floor(q.price_max * exact(q.score))) ELSE 0 END, 0, 0, q.budget + q.carried_in, ''
		FROM (SELECT s.component, allocate(s.bps::numeric, $2) OVER (ORDER BY s."position") AS budget, s.price_max,
				coalesce(CASE WHEN $4 > 0 THEN r.carried_in END, CASE WHEN o.status = 'final' THEN a.held ELSE b.carried_out END, 0) AS carried_in, coalesce(t.score, 0)::double precision AS score
			FROM pool_share($3) s
				-- a rehearsal has what the epoch had, the first of several
				LEFT JOIN epoch_pool r ON r.epoch_id = -$1 AND r.component = s.component
				LEFT JOIN epoch o ON o.epoch_id = $4
				LEFT JOIN epoch_pool b ON b.epoch_id = $4 AND b.component = s.component
				-- once it is final, what it carried over is what the journal has, corrections included
				LEFT JOIN LATERAL (SELECT coalesce(sum(t.amount), 0) AS held FROM account c JOIN posting t ON t.account_id = c.account_id WHERE c.component = s.component) a ON true
				-- the sum of reward.score, which is one number a node where there are several lots
				LEFT JOIN (SELECT x.lot, exact_sum(x.score) AS score
					FROM (SELECT o.lot, o.score FROM %1$s o WHERE o.lot <= 7
						UNION ALL SELECT 6, exact_total(o.score) FROM %1$s o WHERE o.lot > 7 GROUP BY o.node_id) x
					GROUP BY 1) t ON t.lot = s."position") q $q$, scores)
	USING e.epoch_id, e.budget, p, e.previous_epoch_id;

	-- a service gets its share, but not more than so many times the fees paid for it
	UPDATE epoch_service v SET amount = a.amount
	FROM (SELECT s.service_type, allocate(s.share, w.payable, floor(s.fee * p.fee_multiple)) OVER (ORDER BY s.service_type) AS amount
		FROM epoch_service s JOIN epoch_pool w ON w.epoch_id = e.epoch_id AND w.component = 'service_types'
		WHERE s.epoch_id = e.epoch_id AND s.share > 0) a
	WHERE v.epoch_id = e.epoch_id AND v.service_type = a.service_type;

	PERFORM make_epoch_table('portion', e.epoch_id, portion_query(e.epoch_id, p, scores));
	PERFORM make_epoch_table('reward', e.epoch_id, format('SELECT %s::bigint AS epoch_id, r.node_id, r.provider_id, r.score, r.component, r.amount FROM (%s) r', e.epoch_id,
		reward_query(p, scores, epoch_table('portion', e.epoch_id))));

	EXECUTE format($q$
		INSERT INTO epoch_provider (epoch_id, provider_id, component, nodes, score, amount)
		SELECT $1, r.provider_id, r.component, count(*), exact_total(r.score), sum(r.amount) FROM %s r GROUP BY r.provider_id, r.component $q$, epoch_table('reward', e.epoch_id))
	USING e.epoch_id;

	UPDATE epoch_pool w SET paid = a.paid, carried_out = a.carried_out, treasury = w.budget + w.carried_in - a.paid - a.carried_out,
		reason = pool_reason(w, p, a.paid, a.carried_out)
	FROM (SELECT x.component, coalesce(r.paid, 0) AS paid,
			CASE p.unpaid_to WHEN 'carry' THEN least(x.budget + x.carried_in - coalesce(r.paid, 0), floor(p.carry_limit * x.budget)) ELSE 0 END AS carried_out
		FROM epoch_pool x LEFT JOIN (SELECT v.component, sum(v.amount) AS paid FROM epoch_provider v WHERE v.epoch_id = e.epoch_id GROUP BY v.component) r ON r.component = x.component
		WHERE x.epoch_id = e.epoch_id) a
	WHERE w.epoch_id = e.epoch_id AND w.component = a.component;
	PERFORM drop_epoch_table(t, e.epoch_id) FROM unnest(ARRAY['score', 'portion']) t;
	SELECT sum(w.paid) INTO total FROM epoch_pool w WHERE w.epoch_id = e.epoch_id;
	RETURN total;
END $$;
COMMENT ON FUNCTION pay_epoch(epoch, policy) IS 'run_epoch step: scores, pools and rewards; returns the base units paid';

-- With a cap a lot is apportioned over providers first, and what each gets over its nodes. A node has one
-- row for all of its services.
CREATE FUNCTION portion_query(epoch_id bigint, p policy, scores text) RETURNS text
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $f$
	SELECT format(CASE WHEN p.provider_cap_bps IS NULL THEN '%1$s' ELSE $q$
		SELECT q.lot, q.provider_id, allocate(q.score, l.amount, floor(l.amount * %2$s / 10000)) OVER (PARTITION BY q.lot ORDER BY q.provider_id) AS amount
		FROM (SELECT x.lot, x.provider_id, exact_sum(x.score) AS score FROM %3$s x GROUP BY x.lot, x.provider_id) q JOIN (%1$s) l ON l.lot = q.lot $q$ END,
		format($q$
			SELECT c."position" AS lot, w.payable AS amount FROM epoch_pool w JOIN component c ON c.code = w.component WHERE w.epoch_id = %1$s AND w.component <> 'service_types'
			UNION ALL SELECT v.lot, v.amount FROM service_lot(%1$s) v $q$, epoch_id), p.provider_cap_bps, scores)
$f$;
COMMENT ON FUNCTION portion_query(bigint, policy, text) IS 'query for the portions of an epoch''s lots that are apportioned over nodes: each whole, or with a cap what each provider gets of it, by the scores in the table or query named scores';

CREATE FUNCTION reward_query(p policy, scores text, portions text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	-- of the nodes, for a condition to follow
	part CONSTANT text := format('SELECT s.*, allocate(s.score, h.amount) OVER (PARTITION BY %1$s ORDER BY s.node_id) AS amount FROM %2$s s JOIN %3$s h USING (%1$s)',
		CASE WHEN p.provider_cap_bps IS NULL THEN 'lot' ELSE 'lot, provider_id' END, scores, portions);
BEGIN
	RETURN format($q$
		SELECT r.node_id, r.provider_id, r.score, c.code AS component, r.amount FROM (%1$s WHERE lot <= 7) r JOIN component c ON c."position" = r.lot
		UNION ALL SELECT r.node_id, r.provider_id, exact_total(r.score), 'service_types'::code, sum(r.amount) FROM (%1$s WHERE lot > 7) r GROUP BY r.node_id, r.provider_id $q$,
		part);
END $$;
COMMENT ON FUNCTION reward_query(policy, text, text) IS 'query for the rewards of an epoch by the scores and portions in the tables or queries of these names';

CREATE FUNCTION pool_reason(w epoch_pool, p policy, paid numeric, carried_out numeric) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $f$
	SELECT concat_ws('; ',
		CASE WHEN w.budget + w.carried_in = 0 THEN 'it had nothing to pay'
			WHEN w.score = 0 THEN CASE w.component
				WHEN 'new_regions' THEN 'no node that is new in a region with a need'
				WHEN 'geographic_gaps' THEN 'no cell is served further than it is taken for served'
				WHEN 'resource_gaps' THEN 'no wanted kind of resource has grown in any region'
				WHEN 'resource_types' THEN 'no kind of resource had a price above 1'
				WHEN 'network_capacity' THEN 'no wanted kind of resource has grown in the network'
				WHEN 'service_types' THEN 'no work of a service that the policy values'
				ELSE 'no work meets a rule of specialization' END
			WHEN paid = w.budget + w.carried_in THEN 'everything was paid' END,
		CASE WHEN w.score > 0 AND w.payable < w.budget + w.carried_in THEN format('the price ceiling: %s x %s per unit', w.score, w.price_max) END,
		CASE WHEN paid < w.payable THEN CASE WHEN w.component = 'service_types' AND p.fee_multiple IS NOT NULL THEN 'the limit by fees'
			|| CASE WHEN p.provider_cap_bps IS NOT NULL THEN ', or the cap per provider' ELSE '' END ELSE 'the cap per provider' END END,
		CASE WHEN w.budget + w.carried_in > paid THEN format('%s carried over, %s to the treasury', carried_out, w.budget + w.carried_in - paid - carried_out) END)
$f$;
COMMENT ON FUNCTION pool_reason(epoch_pool, policy, numeric, numeric) IS 'why a pool paid less than it had, in words; base units';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
