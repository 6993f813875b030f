-- The rules and the epochs. One token has a million base units; a million tokens a quarter.
-- The last quarter of 2018 has no budget: it only sets the baseline, because a network without a
-- past has no growth.

-- A copy of "starter" with what is special here: heartbeats are rare and radii wide, so the bounds of
-- quality are mild; places count as far as two beacons confirm them, uplinks as far as they were
-- measured. The value of a unit is an assumption: one Gbit/s counts 1, a server by its generation.
SELECT new_policy('starter', 'demo', '2018-10-01', jsonb_build_object(
		'grid_order', :grid_order, 'supply_target', 0.000001, 'region_snap_m', 50000,
		'telemetry_slot', :heartbeat * interval '1 hour', 'heartbeat_timeout', :heartbeat * interval '1 hour',
		'uptime_floor', 0.80, 'uptime_target', 0.98, 'response_limit_ms', 250, 'response_target_ms', 90, 'error_limit', 0.25, 'error_target', 0.08,
		'min_beacons', 2, 'location_limit_m', 8000000, 'location_target_m', 3000000,
		'fee_multiple', 3, 'provider_cap_bps', 4000, 'challenge_window', '0',
		-- the most that is paid for a unit: of contribution for a day above what is taken for given, of a person served
		-- for a day, of value for a day, of work
		'new_regions_price_max', 150000000, 'geographic_gaps_price_max', 250, 'resource_gaps_price_max', 60000000, 'resource_types_price_max', 2000000,
		'network_capacity_price_max', 20000000, 'service_types_price_max', 5000, 'specialization_price_max', 5000),
	'{"bandwidth_gbps": 1, "server_r620": 2, "server_r630": 3, "server_r640": 4, "vm_n1_highcpu_4": 1, "vm_n2_highcpu_4": 1.5}') AS policy \gset

INSERT INTO policy_service (policy_id, service_type, premium, resource_type, max_work_per_hour) VALUES
	(:policy, 'ndt', 1, 'bandwidth_gbps', 100), (:policy, 'revtr', 2, 'bandwidth_gbps', 100), (:policy, 'wehe', 4, 'bandwidth_gbps', 100);

INSERT INTO specialization (policy_id, code, name, service_type, metric, bound, target, weight, min_samples) VALUES
	(:policy, 'quick_tests', 'speed tests answered quickly', 'ndt', 'p95_latency_ms', 80, 20, 1, 3),
	(:policy, 'frugal', 'little energy per test', 'ndt', 'energy_per_work', 50, 25, 0.5, 3),
	(:policy, 'rare_work', 'the rarest service, without errors', 'wehe', 'error_rate_upper', 0.6, 0.25, 20, 3);

INSERT INTO epoch (period, budget, note)
SELECT tstzrange(t0, t1), CASE WHEN t0 < '2019-01-01' THEN 0 ELSE 1000000000000 END, label
FROM demo.quarter ORDER BY t0;
