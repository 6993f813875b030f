-- Ingest: from tables of anybody's making into telemetry, or with the reason into telemetry_reject.
--
-- The settings are for what is read and written as text: a row must not mean another thing in another
-- session. What privileges are checked, and whose rights triggers and views of the source run with, is
-- told in src/ledger/source.c and take.c.

CREATE FUNCTION ingest_telemetry(source regclass, clock_tolerance interval DEFAULT '5 minutes',
	OUT moved bigint, OUT duplicates bigint, OUT rejected bigint) RETURNS record
AS 'MODULE_PATHNAME', 'sr_ingest_telemetry' LANGUAGE C VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO' SET intervalstyle = 'postgres'
SET extra_float_digits = 1 SET bytea_output = 'hex';
COMMENT ON FUNCTION ingest_telemetry(regclass, interval) IS
'moves all rows of a table, or of a view from which rows can be deleted, into telemetry, or into telemetry_reject with the reason, in one transaction: interrupted at any time it has done nothing, repeated it adds nothing. From telemetry_reject itself it takes up the rejected rows again. Columns are matched by name: node_id (or external_id, which means the stay of the time), sampled_at, ok; service_type, latency_ms, work, fee, energy_mwh (NULL where missing); others are kept of rejected rows only. They may be text or of fitting types; a time in text is ISO 8601, UTC where it names no zone. moved: rows put into telemetry; duplicates: rows that say what a row of telemetry, or another one of the source, says already (no work or fee and 0 are the same), which are dropped; rejected: rows put into telemetry_reject: values missing, unreadable, NaN, infinite, negative, clocks more than clock_tolerance ahead, unknown nodes and services, times before the node joined or after it left, work without a service, days that have no partition or are out of retention, and rows with the node, time and service of another that say something else (of several new ones the worst for the node stays: not ok, then not timed or slowest, then least work, least fee, then not metered or most energy). Needs SELECT and DELETE on the source, whose triggers run with the rights of its owner; waits for another ingest of the same source. Errors: NULL, no table, a foreign table, another table of the ledger, columns missing or of unfitting type, rules or INSTEAD OF triggers on DELETE, row-level security';
REVOKE ALL ON FUNCTION ingest_telemetry(regclass, interval) FROM PUBLIC;
