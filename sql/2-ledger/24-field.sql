-- Fields: demand, supply, and what of it is taken for given.

CREATE TABLE swarm_reward_internal.epoch_region_demand (
	epoch_id bigint NOT NULL,
	region text COLLATE "C" NOT NULL,
	demand coverage NOT NULL,
	PRIMARY KEY (epoch_id, region)
);
COMMENT ON TABLE swarm_reward_internal.epoch_region_demand IS 'the demand field of each region of an epoch: its points, spread over their discs; region is empty for those that belong to none';
COMMENT ON COLUMN swarm_reward_internal.epoch_region_demand.epoch_id IS 'the epoch';
COMMENT ON COLUMN swarm_reward_internal.epoch_region_demand.region IS 'code of the region, or empty';
COMMENT ON COLUMN swarm_reward_internal.epoch_region_demand.demand IS 'its demand field';
SELECT pg_catalog.pg_extension_config_dump('swarm_reward_internal.epoch_region_demand', '');

CREATE FUNCTION swarm_reward_internal.zero_coverage(grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT density_agg(ST_SetSRID(ST_MakePoint(0, 0), 4326)::geography, 0::double precision, grid_order);
END;
COMMENT ON FUNCTION swarm_reward_internal.zero_coverage(int) IS 'the field that is zero everywhere, on the grid of this order; NULL for NULL';

CREATE FUNCTION swarm_reward_internal.supply_field(epoch_id bigint, grid_order int, scale double precision, mature boolean) RETURNS coverage
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	-- Nodes at one place with one radius are added up exactly before: a node and its halves give the
	-- same bits. Places are compared as bytes: as geography they have to be sorted, which takes longer
	-- than the field.
	SELECT coverage_agg(ST_GeogFromWKB(s.spot), s.reach_m, s.supply * supply_field.scale, supply_field.grid_order) / supply_field.scale
	FROM (SELECT ST_AsBinary(n.location) AS spot, n.reach_m,
			sum(swarm_reward_internal.exact(CASE WHEN supply_field.mature THEN n.supply * n.tenure ELSE n.supply END))::double precision AS supply
		FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.supply > 0
		GROUP BY ST_AsBinary(n.location), n.reach_m) s;
END;
COMMENT ON FUNCTION swarm_reward_internal.supply_field(bigint, int, double precision, boolean) IS
'S: sum over the nodes of an epoch of supply times disc, from epoch_node, rounded to 2^-16 / scale; mature: of supply times tenure. NULL without supply, and for NULL';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION demand_query(period tstzrange, region_snap_m double precision) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO' AS $f$
	SELECT format($q$
		SELECT coalesce(region_among(($1).codes, ($1).boundaries, d.location, %1$L), '') AS region, d.location, d.radius_m,
			(round(d.weight * seconds(tstzmultirange(d.valid * %2$L::tstzrange)), 24) / %3$L::numeric)::double precision AS weight
		FROM demand d WHERE d.valid && %2$L::tstzrange $q$,
		region_snap_m, period, seconds(tstzmultirange(period)))
$f$;
COMMENT ON FUNCTION demand_query(tstzrange, double precision) IS
'query, with the regions of its start as $1, for the points of demand in a bounded period with the region that each belongs to, empty where there is none, weights averaged by time. The one place where an epoch reads demand. NULL for NULL';

CREATE FUNCTION demand_fields(period tstzrange, grid_order int, region_snap_m double precision) RETURNS TABLE (region text, demand coverage)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
		WITH point AS MATERIALIZED (%s)
		SELECT f.region, sum(f.part)
		FROM (SELECT p.region, density_agg(p.location, p.weight, $2) AS part FROM point p WHERE p.radius_m IS NULL GROUP BY p.region
			UNION ALL
			SELECT p.region, density_agg(p.location, p.weight, $2, p.radius_m) FROM point p WHERE p.radius_m IS NOT NULL GROUP BY p.region) f
		GROUP BY f.region $q$, demand_query(period, region_snap_m))
	USING regions_at(lower(period)), grid_order;
END $$;
COMMENT ON FUNCTION demand_fields(tstzrange, int, double precision) IS
'the demand field of each region in a period; region is empty for points that belong to none. Reads the table demand as it is now. No row for NULL';

CREATE FUNCTION supply_field(epoch_id bigint, grid_order int, mature boolean DEFAULT false) RETURNS coverage
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	total double precision;
	scale double precision := 1;
	field coverage;
BEGIN
	SELECT exact_sum(n.supply) INTO total FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.supply > 0;
	IF total IS NULL THEN
		RETURN zero_coverage(grid_order);
	END IF;
	-- the power of two for which total * scale is above 2^35 and at most 2^36: rounding to 2^-16
	-- is then below 2^-51 of the total whatever the unit of contribution
	WHILE total * scale * 2 <= 68719476736 LOOP
		scale := scale * 2;
	END LOOP;
	WHILE total * scale > 68719476736 LOOP
		scale := scale / 2;
	END LOOP;
	-- EXECUTE, as a function in SQL that is called in an expression keeps its plan to the end of the
	-- transaction, also when partitions come and go meanwhile
	EXECUTE 'SELECT supply_field($1, $2, $3, $4)' INTO field USING epoch_id, grid_order, scale, mature;
	RETURN coalesce(field, zero_coverage(grid_order));
END $$;
COMMENT ON FUNCTION supply_field(bigint, int, boolean) IS 'S: the supply field of an epoch, from epoch_node; mature: with each node''s supply times its tenure. Zero without supply. NULL for NULL';

CREATE FUNCTION served_field(supply coverage, supply_target double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coverage_least(supply / supply_target, 1::double precision);
END;
COMMENT ON FUNCTION served_field(coverage, double precision) IS 'c(S) = min(1, S / T): to which degree cells are served. NULL for NULL';

CREATE FUNCTION gap_value_field(demand coverage, supply coverage, reference coverage, supply_target double precision, kappa double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT demand * coverage_greatest(served_field(supply, supply_target) - reference, 0::double precision) * kappa / supply;
END;
COMMENT ON FUNCTION gap_value_field(coverage, coverage, coverage, double precision, double precision) IS
'D * kappa * max(0, c(S) - G) / S: newly served demand per unit of supply. NULL for NULL';

CREATE FUNCTION draw_demand(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	DELETE FROM epoch_region_demand d WHERE d.epoch_id = e.epoch_id;
	INSERT INTO epoch_region_demand (epoch_id, region, demand)
	SELECT e.epoch_id, f.region, f.demand FROM demand_fields(e.period, p.grid_order, p.region_snap_m) f;
	UPDATE epoch SET demand = coalesce((SELECT sum(d.demand) FROM epoch_region_demand d WHERE d.epoch_id = e.epoch_id), zero_coverage(p.grid_order))
	WHERE epoch.epoch_id = e.epoch_id;
END $$;
COMMENT ON FUNCTION draw_demand(epoch, policy) IS 'run_epoch step: the demand field of an epoch, and that of each of its regions';

CREATE FUNCTION draw_supply(e epoch, p policy) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	s coverage := supply_field(e.epoch_id, p.grid_order);
	served coverage := served_field(s, p.supply_target::double precision);
	given coverage;
	length_days double precision := days(e.period);
BEGIN
	SELECT o.next_reference INTO given FROM epoch o WHERE o.epoch_id = e.previous_epoch_id;
	IF e.previous_epoch_id IS NULL THEN
		given := CASE WHEN e.baseline THEN served ELSE zero_coverage(p.grid_order) END;
	END IF;
	UPDATE epoch SET supply = s, mature_supply = supply_field(e.epoch_id, p.grid_order, mature => true), reference = given,
		next_reference = follow(given, served, decay(length_days, p.vesting_half_life), decay(length_days, p.memory_half_life))
	WHERE epoch.epoch_id = e.epoch_id;
END $$;
COMMENT ON FUNCTION draw_supply(epoch, policy) IS 'run_epoch step: the supply field of an epoch, and how far each cell is taken for served';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
