-- What is compared. The parameters are those that did best on the seeds for tuning (201 and later), see doc/incentives.md.
INSERT INTO sim.mechanism (name, pays, evidence, template, knobs) VALUES
	('none', 'none', false, NULL, '{}'),
	('flat', 'flat', false, NULL, '{"price_max": 25}'),
	('flat checked', 'flat', true, NULL, '{"price_max": 25}'),
	('user', 'user', false, NULL, '{"price_max": 30}'),
	('user checked', 'user', true, NULL, '{"price_max": 30}'),
	('hex', 'hex', false, NULL, '{"order": 4, "price_max": 25}'),
	('hex checked', 'hex', true, NULL, '{"order": 4, "price_max": 25}'),
	('cell', 'cell', true, NULL, '{"order": 4, "capacity": 24, "price_max": 25}'),
	('starter default', 'ours', false, 'starter', '{}'),
	('strict default', 'ours', true, 'strict', '{}');

-- The shipped policies with price ceilings: what a unit of each pool may cost, and parts of the budget that follow it.
INSERT INTO sim.mechanism (name, pays, evidence, template, knobs)
SELECT name, 'ours', evidence, name, c.knobs FROM (VALUES ('starter', false), ('strict', true)) v (name, evidence), (SELECT jsonb_build_object(
	'new_regions_price_max', 1000000, 'geographic_gaps_price_max', 1500000, 'resource_gaps_price_max', 500000, 'network_capacity_price_max', 500000,
	'resource_types_price_max', 300000, 'service_types_price_max', 10000, 'specialization_price_max', 3000) AS knobs) c;

-- Strict with one thing switched off: a pool, whose part the others get, or one of its precautions.
INSERT INTO sim.mechanism (name, pays, evidence, template, knobs)
SELECT 'strict without ' || o.name, m.pays, m.evidence, m.template, m.knobs || o.knobs
FROM sim.mechanism m, (SELECT c.code::text AS name, jsonb_build_object('off', c.code) AS knobs FROM component c
	UNION ALL VALUES ('beacons', '{"min_beacons": 0}'::jsonb), ('checks', '{"unchecked_units": 1, "check_validity": "1 second"}'), ('cap', '{"provider_cap_bps": null}'), ('maturity', '{"maturity": "1 second"}')) o
WHERE m.name = 'strict';
