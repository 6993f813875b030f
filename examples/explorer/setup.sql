-- What the explorer reads beside the views of swarm_reward: a schema of its own, whose views have what is
-- in tables that the role "service" does not see, and a login for it that only reads.
-- psql -d DATABASE -f setup.sql, as who owns the extension; safe to repeat.
\set ON_ERROR_STOP on
BEGIN;
SET search_path = swarm_reward, public;
DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'swarm_reward') THEN
		RAISE EXCEPTION 'database % has no extension swarm_reward', quote_ident(current_database())
			USING HINT = 'PGDATABASE names the database to look at; make explorer makes one with the demo in it.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'explorer') THEN
		CREATE ROLE explorer LOGIN;
	END IF;
	ALTER ROLE explorer SET default_transaction_read_only = on;
	ALTER ROLE explorer SET statement_timeout = '60s';
	EXECUTE format('ALTER ROLE explorer SET search_path = swarm_reward, %I', (SELECT n.nspname FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname = 'postgis'));
END $$;
SELECT grant_role('service', 'explorer') \g /dev/null
DROP SCHEMA IF EXISTS explorer CASCADE;
CREATE SCHEMA explorer;

-- money is text: a number of JavaScript has 53 bits
CREATE VIEW explorer.epoch AS
SELECT e.epoch_id, lower(e.period) AS starts_at, upper(e.period) AS ends_at, e.status, e.held_reason, e.budget::text AS budget, encode(e.digest, 'hex') AS digest, e.engine,
	p.name AS policy, p.max_radius_m, coverage_order(e.demand) AS grid_order
FROM epoch e LEFT JOIN policy p ON p.policy_id = e.policy_id
WHERE e.epoch_id > 0;

CREATE VIEW explorer.field AS
SELECT e.epoch_id, encode(e.digest, 'hex') AS digest,
	e.demand * coverage_least(e.supply / p.supply_target::float8, 1::float8) AS served,
	e.demand * coverage_greatest(1::float8 - e.supply / p.supply_target::float8, 0::float8) AS gap
FROM epoch e JOIN policy p ON p.policy_id = e.policy_id
WHERE e.status IN ('computed', 'final');

CREATE VIEW explorer.pool AS
SELECT q.epoch_id, c."position", q.component, c.name, c.unit, q.budget::text AS budget, q.carried_in::text AS carried_in, q.score, q.price_max::text AS price_max, q.payable::text AS payable,
	q.paid::text AS paid, q.carried_out::text AS carried_out, q.treasury::text AS treasury, q.reason
FROM epoch_pool q JOIN component c ON c.code = q.component;

CREATE VIEW explorer.provider AS SELECT p.provider_id, p.external_id, p.name FROM provider p;
CREATE VIEW explorer.resource AS SELECT r.code, r.unit, r.name FROM resource_type r;

CREATE VIEW explorer.node AS
SELECT n.epoch_id, n.node_id, n.provider_id, coalesce(m.name, m.external_id) AS name, n.region, ST_X(n.location::geometry) AS lon, ST_Y(n.location::geometry) AS lat, n.reach_m,
	n.availability, n.performance, n.place_trust, n.quality, n.contribution, n.tenure, n.freshness
FROM epoch_node n JOIN node m ON m.node_id = n.node_id;

CREATE VIEW explorer.land AS
SELECT g.code, ST_AsGeoJSON(ST_SimplifyPreserveTopology(g.boundary::geometry, 0.05), 3)::json AS geometry FROM region g;

CREATE FUNCTION explorer.checks(epoch_id bigint) RETURNS TABLE ("check" text, severity text, value text, hint text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'SELECT * FROM swarm_reward.check_epoch($1)';
REVOKE ALL ON FUNCTION explorer.checks(bigint) FROM PUBLIC;

GRANT USAGE ON SCHEMA explorer TO explorer;
GRANT SELECT ON ALL TABLES IN SCHEMA explorer TO explorer;
GRANT EXECUTE ON FUNCTION explorer.checks(bigint) TO explorer;
COMMIT;
