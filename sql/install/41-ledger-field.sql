-- Fields of an epoch.

CREATE FUNCTION zero_coverage(grid_order int) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT density_agg(ST_SetSRID(ST_MakePoint(0, 0), 4326)::geography, 0::double precision, grid_order);
END;
COMMENT ON FUNCTION zero_coverage(int) IS 'the field that is zero everywhere, on the grid of this order; NULL for NULL';

CREATE FUNCTION demand_field(period tstzrange, grid_order int) RETURNS coverage
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(density_agg(d.location,
			(round(d.weight * overlap_seconds(d.valid, period), 24) / overlap_seconds(period, period))::double precision, grid_order),
		zero_coverage(grid_order))
	FROM demand d WHERE d.valid && period;
END;
COMMENT ON FUNCTION demand_field(tstzrange, int) IS
'D: the demand field, weights averaged by time over the period; reads the table demand as it is now. NULL for NULL';

-- The contributions are scaled by one power of two before they are rounded to
-- the 2^-16 of coverage_agg, so that the rounding is below 2^-50 of the total
-- whatever the unit of contribution, and nodes at one place with one radius
-- are added up exactly before: a node and its halves give the same bits.
CREATE FUNCTION supply_field(epoch_id bigint, grid_order int) RETURNS coverage
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	total numeric;
	scale numeric := 1;
	field coverage;
BEGIN
	SELECT sum(n.contribution) INTO total FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id;
	IF coalesce(total, 0) = 0 THEN
		RETURN zero_coverage(grid_order);
	END IF;
	-- the largest power of two with total * scale at most 2^36
	WHILE total * scale * 2 <= 68719476736 LOOP
		scale := scale * 2;
	END LOOP;
	WHILE total * scale > 68719476736 LOOP
		scale := scale / 2.0000000000000000000000000000000000000000000000000000000000000000;
	END LOOP;
	-- places are compared as bytes: as geography they have to be sorted, which takes longer than the field
	SELECT coverage_agg(ST_GeogFromWKB(s.spot), s.service_radius_m, (s.contribution * scale)::double precision, grid_order) / scale::double precision INTO field
	FROM (SELECT ST_AsBinary(n.location) AS spot, n.service_radius_m, sum(n.contribution) AS contribution
		FROM epoch_node n WHERE n.epoch_id = supply_field.epoch_id AND n.contribution > 0
		GROUP BY ST_AsBinary(n.location), n.service_radius_m) s;
	RETURN field;
END $$;
COMMENT ON FUNCTION supply_field(bigint, int) IS
'S1: sum over the nodes of an epoch of contribution times disc, from epoch_node; zero without nodes. NULL for NULL';
