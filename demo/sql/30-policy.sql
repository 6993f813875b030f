-- The rules and the epochs. One token has a million base units; a million tokens a quarter.
-- The last quarter of 2018 has no budget: it only sets the baseline, because to a network
-- without a past everything would be new.

INSERT INTO policy (name, effective_from, grid_order, supply_target,
	uptime_floor, uptime_target, response_limit_ms, response_target_ms, error_limit, error_target,
	telemetry_slot, min_beacons, growth_target, freshness_epochs, note)
VALUES ('demo', '2018-10-01', :grid_order, 30,
	0.80, 0.98, 250, 90, 0.25, 0.08,
	:heartbeat * interval '1 hour', 3, 600, 6,
	'heartbeats are rare and radii wide, so the bounds of quality are mild');

INSERT INTO specialization (policy_id, code, name, service_type, metric, bound, target, weight, min_samples)
SELECT policy_id, r.*
FROM policy, (VALUES
	('quick_tests', 'speed tests answered quickly', 'ndt', 'p95_latency_ms', 80, 20, 1, 3),
	('frugal', 'little energy per test', 'ndt', 'energy_per_work', 50, 25, 0.5, 3),
	('rare_work', 'the rarest service, without errors', 'wehe', 'error_rate_upper', 0.6, 0.25, 20, 3)) r
WHERE policy.name = 'demo';

INSERT INTO epoch (period, budget, note)
SELECT tstzrange(t0, t1), CASE WHEN t0 < '2019-01-01' THEN 0 ELSE 1000000000000 END, label
FROM demo.quarter ORDER BY t0;
