-- What an epoch brought: who can be reached within which round-trip time, and
-- the metrics of growth. Both are computed once, with the epoch, from its frozen
-- rows, and sealed with it: nothing of them enters a reward.

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

-- Discs of thousands of kilometres are drawn for many nodes, most of which lie
-- in the midst of others. So places come in blocks, the cells of a grid of 200
-- km, one lead from each: the leads' discs are drawn first, and of the others
-- only those that could still reach something. What is left is the same.
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
