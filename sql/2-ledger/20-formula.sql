-- The formulas of an epoch, one small function each: the engine computes with them, verify_epoch
-- checks with them, explain_reward shows them.
--
-- What is computed for one row is float8, made of + - * / and sqrt only, whose bits are the same
-- on every machine. What is added up over rows is added up in numeric (see exact), so that no
-- order of rows matters. Powers are numeric. Those with a CASE are not STRICT: a strict function with a
-- CASE in it would not become part of the query that calls it.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION ramp(x double precision, a double precision, b double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_ramp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ramp(double precision, double precision, double precision) IS
'0 at or before a, 1 at or beyond b, linear between; a > b counts down. NULL for NULL; errors: NaN, infinite a or b';

CREATE FUNCTION exact(x double precision) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_exact_numeric' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exact(double precision) IS
'the shortest decimal that stands for this float8 and no other (a plain cast keeps 15 digits only); NULL for NULL; errors: NaN, infinite';

CREATE FUNCTION exact_sum_transfn(internal, double precision) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_exact_sum_transfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION exact_sum_transfn(internal, double precision) IS 'aggregate support: adds a row';
CREATE FUNCTION exact_sum_finalfn(internal) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_exact_sum_finalfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION exact_sum_finalfn(internal) IS 'aggregate support: the result';
CREATE FUNCTION exact_sum_combine(internal, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_exact_sum_combine' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION exact_sum_combine(internal, internal) IS 'aggregate support: adds two states';
CREATE FUNCTION exact_sum_serialize(internal) RETURNS bytea
AS 'MODULE_PATHNAME', 'sr_exact_sum_serialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exact_sum_serialize(internal) IS 'aggregate support: writes a state';
CREATE FUNCTION exact_sum_deserialize(bytea, internal) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_exact_sum_deserialize' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exact_sum_deserialize(bytea, internal) IS 'aggregate support: reads a state';
CREATE AGGREGATE exact_sum(x double precision) (
	SFUNC = exact_sum_transfn, STYPE = internal, SSPACE = 64,
	FINALFUNC = exact_sum_finalfn, COMBINEFUNC = exact_sum_combine,
	SERIALFUNC = exact_sum_serialize, DESERIALFUNC = exact_sum_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE exact_sum(double precision) IS
'sum(exact(x)), faster: the sum of the shortest decimals that stand for these float8s, in whatever order they come. NULL is skipped; no row gives NULL. Errors: NaN, infinite';

CREATE FUNCTION exact_total_finalfn(internal) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_exact_total_finalfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION exact_total_finalfn(internal) IS 'aggregate support: the result';
CREATE AGGREGATE exact_total(x double precision) (
	SFUNC = exact_sum_transfn, STYPE = internal, SSPACE = 64,
	FINALFUNC = exact_total_finalfn, COMBINEFUNC = exact_sum_combine,
	SERIALFUNC = exact_sum_serialize, DESERIALFUNC = exact_sum_deserialize,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE exact_total(double precision) IS 'exact_sum(x)::double precision, faster where there is one row';

CREATE FUNCTION smallest_transfn(internal, double precision, int) RETURNS internal
AS 'MODULE_PATHNAME', 'sr_smallest_transfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smallest_transfn(internal, double precision, int) IS 'aggregate support: adds a number';
CREATE FUNCTION smallest_finalfn(internal) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_smallest_finalfn' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION smallest_finalfn(internal) IS 'aggregate support: the result';
CREATE AGGREGATE smallest(x double precision, k int) (
	SFUNC = smallest_transfn, STYPE = internal, SSPACE = 64,
	FINALFUNC = smallest_finalfn,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE smallest(double precision, int) IS 'the k-th smallest number, the first k counts. NULL is skipped; fewer than k numbers, or k of 0, give NULL. Errors: k below 0 or above 1000';

CREATE FUNCTION seconds(times tstzmultirange) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_seconds' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION seconds(tstzmultirange) IS 'length of bounded times, seconds, exact to the microsecond; NULL for NULL, or where a bound is missing';

CREATE FUNCTION days(period tstzrange) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (extract(epoch FROM upper(period) - lower(period)) / 86400)::double precision;
END;
COMMENT ON FUNCTION days(tstzrange) IS 'length of a bounded period in days of 24 hours; NULL for NULL';

CREATE FUNCTION days(since timestamptz, until timestamptz) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (extract(epoch FROM until - since) / 86400)::double precision;
END;
COMMENT ON FUNCTION days(timestamptz, timestamptz) IS 'time between two moments in days of 24 hours; NULL for NULL';

CREATE FUNCTION days(span interval) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (extract(epoch FROM span) / 86400)::double precision;
END;
COMMENT ON FUNCTION days(interval) IS 'length of an interval without months in days of 24 hours; NULL for NULL';

CREATE FUNCTION uptime_within(summaries telemetry_summary[], times tstzmultirange, timeout interval) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_uptime_within' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION uptime_within(telemetry_summary[], tstzmultirange, interval) IS
'uptime(summary, period, timeout) of several summaries together, over several times together; those that are NULL are left out. 1 over no time, as in an outage from beginning to end; else 0 without telemetry or without a slot. NULL for NULL. Errors: those of uptime, different slots';

CREATE FUNCTION error_rate_upper(samples bigint, errors bigint, confidence double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_error_rate_upper_of' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION error_rate_upper(bigint, bigint, double precision) IS
'error_rate_upper(summary, confidence) of so many samples and errors; confidence above 0 and below 1. NULL for NULL and without a sample';

CREATE FUNCTION work_summary(latency_ms double precision, work bigint, slot interval) RETURNS telemetry_summary
AS 'MODULE_PATHNAME', 'sr_work_summary' LANGUAGE c IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION work_summary(double precision, bigint, interval) IS
'a telemetry_summary without slots in which one response time, in ms, counts as often as there is work; for rollup. NULL latency: not measured. NULL without work';

CREATE FUNCTION response_time(summary telemetry_summary, quantile double precision, untimed_ms double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_telemetry_response_time_untimed' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION response_time(telemetry_summary, double precision, double precision) IS
'response_time(summary, quantile) over all ok samples, those without a latency having untimed_ms; NULL for NULL and without an ok sample. Errors: quantile outside [0, 1], negative or NaN untimed_ms';

CREATE FUNCTION performance(response_ms double precision, error_rate_upper double precision, response_limit_ms double precision, response_target_ms double precision,
	error_limit double precision, error_target double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT coalesce(sqrt(ramp(response_ms, response_limit_ms, response_target_ms) * ramp(error_rate_upper, error_limit, error_target)), 0);
END;
COMMENT ON FUNCTION performance(double precision, double precision, double precision, double precision, double precision, double precision) IS
'geometric mean of ramp(response_ms; limit, target) and ramp(error_rate_upper; limit, target); 0 where either is not known';

-- References: what is taken for given follows what is there, half-way in a half-life.

CREATE FUNCTION decay(length_days double precision, half_life interval) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- the base's forty decimals are those that the power is computed to
	SELECT power(round(2, 40), -exact(length_days) / exact(days(half_life)))::double precision;
END;
COMMENT ON FUNCTION decay(double precision, interval) IS '2 ^ (-length / half_life); length in days. NULL for NULL';

CREATE FUNCTION kappa(length_days double precision, half_life interval) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT ((1 - power(round(2, 40), -u)) / (ln(round(2, 40)) * u))::double precision
	FROM (SELECT exact(length_days) / exact(days(half_life))) x (u);
END;
COMMENT ON FUNCTION kappa(double precision, interval) IS
'mean of 2 ^ (-t / half_life) over t from 0 to a length in days: (1 - 2 ^ -u) / (ln 2 * u) with u = length / half_life. NULL for NULL; errors: length 0';

CREATE FUNCTION follow(reference double precision, now_there double precision, up double precision, down double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT now_there + (reference - now_there) * CASE WHEN now_there > reference THEN up ELSE down END;
END;
COMMENT ON FUNCTION follow(double precision, double precision, double precision, double precision) IS
'R'' = V + (R - V) * d: the reference R at the end of an epoch in which V is there; d is decay(epoch, vesting_half_life) where V > R and decay(epoch, memory_half_life) where it is not. NULL for NULL';

CREATE FUNCTION follow(reference coverage, now_there coverage, up double precision, down double precision) RETURNS coverage
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- V + min(0, R - V) * up + max(0, R - V) * down, cell by cell
	SELECT now_there + coverage_least(reference - now_there, 0::double precision) * up
		+ coverage_greatest(reference - now_there, 0::double precision) * down;
END;
COMMENT ON FUNCTION follow(coverage, coverage, double precision, double precision) IS 'the same cell by cell';

CREATE FUNCTION mean_ramp(age_days double precision, length_days double precision, full_days double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN age_days >= full_days THEN 1
		WHEN age_days + length_days <= full_days THEN (age_days + length_days / 2) / full_days
		-- rising until it is full, then 1
		ELSE 1 - (full_days - age_days) / length_days * (full_days - age_days) / (2 * full_days) END;
END;
COMMENT ON FUNCTION mean_ramp(double precision, double precision, double precision) IS
'mean of min(1, age / full) while age goes from age_days to age_days + length_days; age_days at least 0. NULL for NULL';

CREATE FUNCTION region_multiplier(given double precision, demand double precision, target_fraction double precision, multiplier_max double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN demand > 0 THEN 1 + (multiplier_max - 1) * greatest(0, 1 - given / demand / target_fraction) ELSE 1 END;
END;
COMMENT ON FUNCTION region_multiplier(double precision, double precision, double precision, double precision) IS
'm = 1 + (M - 1) * max(0, 1 - (given / demand) / target_fraction); 1 for a region without demand. NULL for NULL';

CREATE FUNCTION next_price(previous double precision, demand double precision, units double precision, length_days double precision,
	elasticity numeric, step numeric, price_min numeric, price_max numeric) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT least(greatest(t.target, previous / t.factor), previous * t.factor)
	FROM (SELECT CASE WHEN demand = 0 AND units = 0 THEN previous
			WHEN units = 0 THEN price_max::double precision
			WHEN demand = 0 THEN price_min::double precision
			ELSE least(price_max, greatest(price_min, power(round(exact(demand) / exact(units), 40), elasticity)))::double precision END,
		power(round(1 + step, 40), exact(length_days) / 30)::double precision) t (target, factor);
END;
COMMENT ON FUNCTION next_price(double precision, double precision, double precision, double precision, numeric, numeric, numeric, numeric) IS
'the previous price moved towards clamp((demand / units) ^ elasticity; price_min, price_max) by a factor of at most (1 + step) ^ (length in days / 30). Without units the target is price_max, without demand price_min, without both the previous price. NULL for NULL';

CREATE FUNCTION price_markup(previous double precision, price double precision, length_days double precision, step numeric) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- on its way the price grows or shrinks by the same rate all the time: integrals of p - 1 over ln p
	SELECT CASE WHEN m.rate = 0 OR previous = price THEN greatest(0, price - 1)
		ELSE ((abs(m.upto - m.since - ln(m.upto / m.since)) / m.rate + greatest(0, exact(length_days) - abs(ln(m.ratio)) / m.rate) * greatest(0, exact(price) - 1)) / exact(length_days))::double precision END
	FROM (SELECT greatest(1, round(exact(previous), 40)), greatest(1, round(exact(price), 40)), round(exact(price) / exact(previous), 40), ln(round(1 + step, 40)) / 30) m (since, upto, ratio, rate);
END;
COMMENT ON FUNCTION price_markup(double precision, double precision, double precision, numeric) IS
'mean over an epoch of max(0, p - 1), p being the price on its way from the previous one by the factor 1 + step in 30 days, and then where it arrives; length in days. NULL for NULL';

-- Emission: the budget of an epoch that was given none.

CREATE FUNCTION emitted(p policy, until timestamptz) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (p).emission_half_life IS NULL THEN (p).emission * t.days
		ELSE (p).emission * exact(days((p).emission_half_life)) / ln(round(2, 40))
			* (1 - power(round(2, 40), -t.days / exact(days((p).emission_half_life)))) END
	FROM (SELECT greatest(0, extract(epoch FROM until - (p).effective_from) / 86400)) t (days);
END;
COMMENT ON FUNCTION emitted(policy, timestamptz) IS
'base units, with a fraction, that a policy emits from effective_from until a time: emission a day, halving every emission_half_life. NULL for a policy without emission or effective_from';

CREATE FUNCTION epoch_emission(p policy, period tstzrange) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	-- differences of a total that is rounded down: no length of epochs gains or loses a base unit
	SELECT floor(emitted(p, upper(period))) - floor(emitted(p, lower(period)));
END;
COMMENT ON FUNCTION epoch_emission(policy, tstzrange) IS
'budget in base units of an epoch that has none of its own: what the policy emits within its period. NULL for a policy without emission';

SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
