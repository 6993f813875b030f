-- swarm_reward: install script, built from sql/*/*.sql in the order of folders and numbers.
-- complain if the script is sourced in psql rather than run by CREATE EXTENSION
\echo Use "CREATE EXTENSION swarm_reward CASCADE" to load this file. \quit

COMMENT ON SCHEMA @extschema@ IS
'swarm_reward: coverage fields, telemetry summaries, exact apportionment and per-epoch growth rewards for a decentralised cloud';
