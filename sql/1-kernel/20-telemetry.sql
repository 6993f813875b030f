-- telemetry_summary: uptime, response times and error rate in one small mergeable value.

CREATE TYPE telemetry_summary;

CREATE FUNCTION swarm_reward_internal.telemetry_summary_in(cstring) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_in' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_in(cstring) IS
'Text input of telemetry_summary: the JSON that the text output writes. Anything telemetry_agg could not have made is an error.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_out(telemetry_summary) RETURNS cstring
AS 'MODULE_PATHNAME', 'sr_telemetry_out' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_out(telemetry_summary) IS
'Text output of telemetry_summary: JSON with slot_us (microseconds), samples, errors, up ([first slot, count] pairs; slot 0 holds 2000-01-01 00:00 UTC) and latency (counts below 1 microsecond and above 1 hour, exact least and greatest in ms, [bucket, count] pairs; bucket i holds [1.02^i, 1.02^(i+1)) microseconds), null without a latency. Reads back exactly.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_recv(internal) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_recv' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_recv(internal) IS
'Binary input of telemetry_summary. Anything telemetry_agg could not have made is an error.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_send(telemetry_summary) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_telemetry_send' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_send(telemetry_summary) IS
'Binary output of telemetry_summary: version, slot in microseconds, samples, errors, slots and buckets. Reads back exactly.';

CREATE TYPE telemetry_summary (
    INPUT = telemetry_summary_in,
    OUTPUT = telemetry_summary_out,
    RECEIVE = telemetry_summary_recv,
    SEND = telemetry_summary_send,
    ALIGNMENT = double,
    STORAGE = extended
);
COMMENT ON TYPE telemetry_summary IS
'Heartbeats folded into the set of slots with an ok sample, a histogram of response times (1 % relative accuracy) and two counts. Made by telemetry_agg, merged by rollup. Equal content is equal bytes.';

-- equality

CREATE FUNCTION swarm_reward_internal.telemetry_summary_eq(telemetry_summary, telemetry_summary) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_telemetry_eq' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_eq(telemetry_summary, telemetry_summary) IS
'Same slot, slots, buckets, extremes and counts; NULL if an argument is.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_ne(telemetry_summary, telemetry_summary) RETURNS boolean
AS 'MODULE_PATHNAME', 'sr_telemetry_ne' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_ne(telemetry_summary, telemetry_summary) IS
'Not the same content; NULL if an argument is.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_hash(telemetry_summary) RETURNS integer
AS 'MODULE_PATHNAME', 'sr_telemetry_hash' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_hash(telemetry_summary) IS
'Hash of the content, for hash joins, GROUP BY and hash indexes.';

CREATE FUNCTION swarm_reward_internal.telemetry_summary_hash_extended(telemetry_summary, bigint) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_hash_extended' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_summary_hash_extended(telemetry_summary, bigint) IS
'64-bit hash of the content with a seed, for hash partitioning.';

CREATE OPERATOR = (
    LEFTARG = telemetry_summary, RIGHTARG = telemetry_summary, FUNCTION = telemetry_summary_eq,
    COMMUTATOR = =, NEGATOR = <>, RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR = (telemetry_summary, telemetry_summary) IS 'same content';

CREATE OPERATOR <> (
    LEFTARG = telemetry_summary, RIGHTARG = telemetry_summary, FUNCTION = telemetry_summary_ne,
    COMMUTATOR = <>, NEGATOR = =, RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (telemetry_summary, telemetry_summary) IS 'not the same content';

CREATE OPERATOR CLASS telemetry_summary_hash_ops DEFAULT FOR TYPE telemetry_summary USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 telemetry_summary_hash(telemetry_summary),
    FUNCTION 2 telemetry_summary_hash_extended(telemetry_summary, bigint);
COMMENT ON OPERATOR CLASS telemetry_summary_hash_ops USING hash IS 'equality of telemetry summaries by hash';
COMMENT ON OPERATOR FAMILY telemetry_summary_hash_ops USING hash IS 'equality of telemetry summaries by hash';

-- measures

CREATE FUNCTION slot(summary telemetry_summary) RETURNS interval
AS 'MODULE_PATHNAME', 'sr_telemetry_slot' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION slot(telemetry_summary) IS
'Length of the slots that uptime is counted in. NULL for NULL.';

CREATE FUNCTION samples(summary telemetry_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_samples' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION samples(telemetry_summary) IS
'Number of samples, ok or not; at least 1. NULL for NULL.';

CREATE FUNCTION errors(summary telemetry_summary) RETURNS bigint
AS 'MODULE_PATHNAME', 'sr_telemetry_errors' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION errors(telemetry_summary) IS
'Number of samples that were not ok. NULL for NULL.';

CREATE FUNCTION error_rate(summary telemetry_summary) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_error_rate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION error_rate(telemetry_summary) IS
'errors / samples, in [0, 1]. NULL for NULL.';

CREATE FUNCTION error_rate_upper(summary telemetry_summary, confidence double precision DEFAULT 0.95)
RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_error_rate_upper' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION error_rate_upper(telemetry_summary, double precision) IS
'Upper bound of the true error rate at a confidence strictly between 0 and 1 (otherwise an error): one-sided Wilson score interval (Wilson 1927), so that few samples never look perfect. In [0, 1]; the same bits on every machine. NULL for NULL.';

CREATE FUNCTION uptime(summary telemetry_summary, period tstzrange) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_uptime' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION uptime(telemetry_summary, tstzrange) IS
'Fraction, in [0, 1] and exact, of the slots that start inside the period in which there was an ok sample. Bounds count as inclusive or exclusive as they are. A period that is empty, lacks a finite bound or holds no start of a slot is an error. NULL for NULL.';

CREATE FUNCTION uptime(summary telemetry_summary, period tstzrange, timeout interval) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_uptime_timeout' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION uptime(telemetry_summary, tstzrange, interval) IS
'As uptime(summary, period), but a slot also counts when one of the slots that start less than timeout before it has an ok sample, also one before the period: heartbeats every 61 seconds with a timeout of 2 minutes, or every 10 minutes with one of 15, are no downtime. A timeout of up to one slot changes nothing. It is at least 0, without months, a day being 24 hours; otherwise an error. NULL for NULL.';

CREATE FUNCTION response_time(summary telemetry_summary, quantile double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_response_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION response_time(telemetry_summary, double precision) IS
'Response time in ms at a quantile in [0, 1] (otherwise an error) by nearest rank, as percentile_disc, over the ok samples: within 1 % from 1 microsecond to 1 hour (DDSketch, Masson et al. 2019), never outside the exact least and greatest; above 1 hour the greatest. NULL for NULL and where no ok sample has a latency.';

-- aggregates

CREATE FUNCTION swarm_reward_internal.telemetry_transition(internal, timestamptz, double precision, boolean) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_transition(internal, timestamptz, double precision, boolean) IS
'Transition function of telemetry_agg.';

CREATE FUNCTION swarm_reward_internal.telemetry_transition(internal, timestamptz, double precision, boolean, interval) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_transition(internal, timestamptz, double precision, boolean, interval) IS
'Transition function of telemetry_agg with a slot.';

CREATE FUNCTION swarm_reward_internal.telemetry_rollup_transition(internal, telemetry_summary) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_rollup_transition' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_rollup_transition(internal, telemetry_summary) IS
'Transition function of rollup and sum.';

CREATE FUNCTION swarm_reward_internal.telemetry_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_combine' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_combine(internal, internal) IS
'Combine function of telemetry_agg, rollup and sum.';

CREATE FUNCTION swarm_reward_internal.telemetry_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_telemetry_serialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_serialize(internal) IS
'Serialisation of the state of telemetry_agg, rollup and sum.';

CREATE FUNCTION swarm_reward_internal.telemetry_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_telemetry_deserialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_deserialize(bytea, internal) IS
'Deserialisation of the state of telemetry_agg, rollup and sum; fully validated.';

CREATE FUNCTION swarm_reward_internal.telemetry_final(internal) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_telemetry_final' LANGUAGE c IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION swarm_reward_internal.telemetry_final(internal) IS
'Final function of telemetry_agg, rollup and sum; leaves the state as it is.';

CREATE AGGREGATE telemetry_agg(sampled_at timestamptz, latency_ms double precision, ok boolean) (
    SFUNC = telemetry_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE telemetry_agg(timestamptz, double precision, boolean) IS
'Folds heartbeats into a telemetry_summary with slots of 1 minute, aligned to the Unix epoch. latency_ms is in milliseconds and counts where ok is true; NULL latency counts for uptime and errors only. Rows with NULL sampled_at or ok are skipped; no other row gives NULL. NaN, infinite or negative latencies and infinite timestamps are errors, also where ok is false. The same bits in any order and any plan.';

CREATE AGGREGATE telemetry_agg(sampled_at timestamptz, latency_ms double precision, ok boolean, slot interval) (
    SFUNC = telemetry_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE telemetry_agg(timestamptz, double precision, boolean, interval) IS
'As telemetry_agg with three arguments, with slots of the given length: positive, without months, a day being 24 hours, the same in all rows of a group; otherwise, and if NULL, an error.';

CREATE AGGREGATE rollup(summary telemetry_summary) (
    SFUNC = telemetry_rollup_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE rollup(telemetry_summary) IS
'Merges summaries: hours into days, shards into one. The result is, bit for bit, telemetry_agg over all their rows. NULLs are skipped; no summary gives NULL. Different slots in a group are an error that names both.';

CREATE AGGREGATE sum(summary telemetry_summary) (
    SFUNC = telemetry_rollup_transition,
    STYPE = internal,
    SSPACE = 1024,
    FINALFUNC = telemetry_final,
    COMBINEFUNC = telemetry_combine,
    SERIALFUNC = telemetry_serialize,
    DESERIALFUNC = telemetry_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(telemetry_summary) IS
'rollup by the name that sums have: the same bits.';
