-- swarm_reward: install script, built from sql/*/*.sql in the order of folders and numbers.
-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\echo Use "CREATE EXTENSION swarm_reward CASCADE" to load this file. \quit

-- The whole script is read before any of it is run: what has a backslash would mean something else.
DO $$
BEGIN
	IF pg_catalog.current_setting('standard_conforming_strings') <> 'on' THEN
		RAISE EXCEPTION 'swarm_reward cannot be installed with standard_conforming_strings = off'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'SET standard_conforming_strings = on first; a dump takes the setting over from the database that it is of.';
	END IF;
END $$;

COMMENT ON SCHEMA @extschema@ IS
'swarm_reward: coverage fields, telemetry summaries, exact apportionment and per-epoch growth rewards for a decentralised cloud';

CREATE SCHEMA swarm_reward_internal;
COMMENT ON SCHEMA swarm_reward_internal IS 'what swarm_reward works with inside; nothing in it is for users';
REVOKE ALL ON SCHEMA swarm_reward_internal FROM PUBLIC;
GRANT USAGE ON SCHEMA swarm_reward_internal TO PUBLIC;

-- The path while this script runs has the schema of PostGIS on it, in which others may create. No
-- function keeps it: those in PL/pgSQL are made under internal_path, and PostGIS is called from
-- functions whose body is bound here and now (BEGIN ATOMIC).
SELECT pg_catalog.set_config('swarm_reward.internal_path', 'swarm_reward_internal, swarm_reward, pg_temp', true),
	pg_catalog.set_config('swarm_reward.script_path',
		pg_catalog.regexp_replace(pg_catalog.current_setting('search_path'), '^[^,]+', '\&, swarm_reward_internal'), true);
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
