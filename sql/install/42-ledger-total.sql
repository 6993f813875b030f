-- Sums over the frozen nodes of an epoch, all exact numerics.

CREATE FUNCTION epoch_owner(epoch_id bigint)
RETURNS TABLE (owner text, resource_type code, hardware_id code, provider_id bigint, units numeric, opening_mark numeric)
LANGUAGE sql STABLE -- not STRICT, so that who asks for some kinds only has no others summed up
BEGIN ATOMIC
	SELECT coalesce('hardware ' || o.hardware_id, 'provider ' || o.provider_id), o.resource_type, o.hardware_id, o.provider_id, o.units, o.opening_mark
	FROM (SELECT n.hardware_id, CASE WHEN n.hardware_id IS NULL THEN n.provider_id END AS provider_id, r.resource_type,
			sum(n.quality * r.units) AS units, max(r.opening_mark) AS opening_mark
		FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
		WHERE n.epoch_id = epoch_owner.epoch_id
		GROUP BY 1, 2, 3) o;
END;
COMMENT ON FUNCTION epoch_owner(bigint) IS
'quality * units per kind of resource and owner of high-water marks in an epoch: hardware, or provider for units without a hardware id. Quality counts, so that capacity that does not work is no capacity';

CREATE FUNCTION epoch_capacity(epoch_id bigint)
RETURNS TABLE (resource_type code, supply numeric, growth numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT o.resource_type, sum(o.units), sum(greatest(0, o.units - o.opening_mark))
	FROM epoch_owner(epoch_capacity.epoch_id) o
	GROUP BY o.resource_type;
END;
COMMENT ON FUNCTION epoch_capacity(bigint) IS
'per kind of resource in an epoch: the network''s quality * units, and the sum of what each owner has above its own high-water mark';

CREATE FUNCTION epoch_region_supply(epoch_id bigint)
RETURNS TABLE (region code, resource_type code, supply numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT n.region, r.resource_type, sum(n.quality * r.units)
	FROM epoch_node n JOIN epoch_node_resource r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
	WHERE n.epoch_id = epoch_region_supply.epoch_id AND n.region IS NOT NULL AND n.quality > 0
	GROUP BY n.region, r.resource_type;
END;
COMMENT ON FUNCTION epoch_region_supply(bigint) IS
'quality * units per region and kind of resource in an epoch; nodes in no region count nowhere';

CREATE FUNCTION epoch_work(epoch_id bigint)
RETURNS TABLE (service_type code, work numeric, quality_work numeric)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT s.service_type, sum(s.work), sum(n.quality * s.work)
	FROM epoch_node n JOIN epoch_node_service s ON s.epoch_id = n.epoch_id AND s.node_id = n.node_id
	WHERE n.epoch_id = epoch_work.epoch_id AND n.trust > 0
	GROUP BY s.service_type;
END;
COMMENT ON FUNCTION epoch_work(bigint) IS
'per service in an epoch: verified work and quality * work; the work of a node whose place is impossible is not verified';

CREATE FUNCTION epoch_weight(epoch_id bigint)
RETURNS TABLE (code code, "position" int, bps int)
LANGUAGE sql STABLE STRICT
BEGIN ATOMIC
	SELECT c.code, c."position", CASE c.code WHEN 'new_regions' THEN p.new_regions_bps WHEN 'coverage_gaps' THEN p.coverage_gaps_bps
		WHEN 'resource_types' THEN p.resource_types_bps WHEN 'network_capacity' THEN p.network_capacity_bps
		WHEN 'service_types' THEN p.service_types_bps WHEN 'specialization' THEN p.specialization_bps END
	FROM component c, epoch e JOIN policy p ON p.policy_id = e.policy_id
	WHERE e.epoch_id = epoch_weight.epoch_id;
END;
COMMENT ON FUNCTION epoch_weight(bigint) IS 'the parts of an epoch''s budget by component, basis points, from its policy';
