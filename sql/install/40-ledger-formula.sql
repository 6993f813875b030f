-- The formulas of an epoch, one small function each: run_epoch computes with
-- them, verify_epoch checks with them, and an analyst can try them by hand.
-- Powers and quotients are numeric, whose arithmetic is the same on every
-- machine; what stays float8 is made of + - * / and sqrt of single values.

CREATE FUNCTION ramp(x double precision, a double precision, b double precision) RETURNS double precision
AS 'MODULE_PATHNAME', 'sr_ramp' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION ramp(double precision, double precision, double precision) IS
'0 at or before a, 1 at or beyond b, linear between; a > b counts down. a = b is the step it tends to from a < b: 0 below, 1 at and above. NULL for NULL; errors: NaN, infinite a or b';

CREATE FUNCTION exact_numeric(x double precision) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_exact_numeric' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION exact_numeric(double precision) IS
'the shortest decimal that stands for this float8 and no other (a plain cast keeps 15 digits only); NULL for NULL; errors: NaN, infinite';

CREATE FUNCTION overlap_seconds(a tstzrange, b tstzrange) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_overlap_seconds' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION overlap_seconds(tstzrange, tstzrange) IS
'seconds that two times have in common, exact to the microsecond; NULL for NULL or where the common part has no bound';

-- Called in the branch of a CASE that is taken only when a formula makes no sense:
-- its arguments come from columns whose checks exclude that, or from a hand that
-- tries the formula. IMMUTABLE, or formulas that call it would not be inlined: nobody
-- evaluates it ahead, as long as value is what the condition looks at.
CREATE FUNCTION refuse_argument(what text, value text, hint text) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
	RAISE EXCEPTION '% is %', what, value USING ERRCODE = 'invalid_parameter_value', HINT = hint;
END $$;
COMMENT ON FUNCTION refuse_argument(text, text, text) IS 'always an error: what is value, with the hint; for arguments of the formulas';

-- not STRICT, nor is freshness: with a CASE in it a strict function is not inlined
CREATE FUNCTION slot_count(period tstzrange, slot interval) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN extract(epoch FROM slot) <= 0 THEN refuse_argument('slot in seconds', extract(epoch FROM slot)::text, 'Give a positive length of time, for example ''1 minute''.')
		ELSE ceil(extract(epoch FROM upper(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot))
			- ceil(extract(epoch FROM lower(period) - timestamptz '1970-01-01 00:00:00+00') / extract(epoch FROM slot)) END::bigint;
END;
COMMENT ON FUNCTION slot_count(tstzrange, interval) IS
'slots of telemetry (aligned to the Unix epoch) that start within [lower, upper) of a period; NULL for NULL or without a bound. Errors: a slot that is not positive';

CREATE FUNCTION node_performance(response_ms double precision, error_rate_upper double precision,
	response_limit_ms double precision, response_target_ms double precision,
	error_limit double precision, error_target double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN response_ms IS NULL OR error_rate_upper IS NULL THEN 0 ELSE
		sqrt(ramp(response_ms, response_limit_ms, response_target_ms) * ramp(error_rate_upper, error_limit, error_target)) END;
END;
COMMENT ON FUNCTION node_performance(double precision, double precision, double precision, double precision, double precision, double precision) IS
'geometric mean of ramp(response_ms; limit, target) and ramp(error_rate_upper; limit, target), in [0, 1]; 0 where either is not known';

CREATE FUNCTION node_trust(beacons int, location_excess_m double precision,
	min_beacons int, unattested_trust double precision, location_slack_m double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN location_excess_m > location_slack_m THEN 0
		WHEN coalesce(beacons, 0) < min_beacons THEN unattested_trust ELSE 1 END;
END;
COMMENT ON FUNCTION node_trust(int, double precision, int, double precision, double precision) IS
'0 when some beacon is farther away than light could go and come back in its round-trip time, by more than the slack; unattested_trust with too few beacons; else 1';

CREATE FUNCTION node_quality(availability double precision, performance double precision, trust double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT round((availability * performance * trust)::numeric, 12);
END;
COMMENT ON FUNCTION node_quality(double precision, double precision, double precision) IS
'q = availability * performance * trust, rounded to twelve decimals so that everything after it is exact';

CREATE FUNCTION node_rating(p policy, uptime double precision, response_ms double precision, error_rate_upper double precision,
	beacons int, location_excess_m double precision)
RETURNS TABLE (availability double precision, performance double precision, trust double precision, quality numeric)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT r.availability, r.performance, r.trust, node_quality(r.availability, r.performance, r.trust)
	FROM (SELECT ramp(uptime, p.uptime_floor::double precision, p.uptime_target::double precision) AS availability,
			node_performance(response_ms, error_rate_upper, p.response_limit_ms::double precision, p.response_target_ms::double precision,
				p.error_limit::double precision, p.error_target::double precision) AS performance,
			node_trust(beacons, location_excess_m, p.min_beacons, p.unattested_trust::double precision, p.location_slack_m::double precision) AS trust) r;
END;
COMMENT ON FUNCTION node_rating(policy, double precision, double precision, double precision, int, double precision) IS
'one row: availability, performance, trust and quality that a policy sees in what was measured of a node';

CREATE FUNCTION region_multiplier(covered double precision, demand double precision, target_fraction numeric, multiplier_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (target_fraction > 0 AND target_fraction < 'Infinity') IS NOT TRUE
			THEN refuse_argument('target_fraction', target_fraction::text, 'Give a share above 0, at most 1.')
		WHEN demand > 0 THEN round(1 + (multiplier_max - 1)
			* round(greatest(0, 1 - covered / demand / target_fraction::double precision)::numeric, 15), 12) ELSE 1 END;
END;
COMMENT ON FUNCTION region_multiplier(double precision, double precision, numeric, numeric) IS
'm = 1 + (M - 1) * max(0, 1 - (covered / demand) / target_fraction), to twelve decimals; 1 for a region without demand; NULL for NULL. Errors: target_fraction not above 0';

CREATE FUNCTION freshness(age int, freshness_epochs int) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN freshness_epochs <= 0 THEN refuse_argument('freshness_epochs', freshness_epochs::text, 'Give at least 1.')
		WHEN age < freshness_epochs THEN round(1 - age::numeric / freshness_epochs, 12)
		WHEN age >= freshness_epochs THEN 0.000000000000 END;
END;
COMMENT ON FUNCTION freshness(int, int) IS 'max(0, 1 - age / K), to twelve decimals; NULL for NULL. Errors: K not above 0';

CREATE FUNCTION gap_rate(unit_value numeric, demand numeric, opening_supply numeric, supply numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN demand > opening_supply AND supply > 0
		THEN round(round(unit_value * (demand - opening_supply), 40) / greatest(supply, demand), 40) ELSE 0 END;
END;
COMMENT ON FUNCTION gap_rate(numeric, numeric, numeric, numeric) IS
'score of one unit of quality * units towards a gap: the pot unit_value * (demand - opening_supply) * min(1, supply / demand) divided by supply; 0 without a gap; NULL for NULL';

CREATE FUNCTION next_price(previous numeric, demand numeric, supply numeric, elasticity numeric, step numeric, price_min numeric, price_max numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- rounding goes towards the previous price: a move is never above the step
	SELECT least(price_max, greatest(price_min, CASE
		WHEN move.factor > 1 THEN trunc(previous * move.factor, 12)
		ELSE ceil(previous * move.factor * 1000000000000) / 1000000000000.000000000000 END))
	FROM (SELECT CASE
		WHEN (demand >= 0 AND demand < 'Infinity') IS NOT TRUE THEN refuse_argument('demand', demand::text, 'Give a finite number of at least 0.')
		WHEN (supply >= 0 AND supply < 'Infinity') IS NOT TRUE THEN refuse_argument('supply', supply::text, 'Give a finite number of at least 0.')
		WHEN elasticity = 0 OR (demand = 0 AND supply = 0) THEN 1
		WHEN supply = 0 THEN 1 + step
		WHEN demand = 0 THEN 1 - step
		ELSE least(1 + step, greatest(1 - step, power(round(demand, 40) / supply, elasticity))) END AS factor) move;
END;
COMMENT ON FUNCTION next_price(numeric, numeric, numeric, numeric, numeric, numeric, numeric) IS
'previous * clamp((demand / supply) ^ elasticity, 1 - step, 1 + step), then clamped to [price_min, price_max], to twelve decimals. No supply: up by a step; no demand: down by a step; neither: unchanged. NULL for NULL. Errors: demand or supply negative, NaN or infinite';

CREATE FUNCTION capacity_pot(unit_value numeric, supply numeric, opening_mark numeric, need numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT unit_value * least(greatest(0, supply - opening_mark), need);
END;
COMMENT ON FUNCTION capacity_pot(numeric, numeric, numeric, numeric) IS
'unit_value * min(max(0, C - H), need): value of the network''s growth above its all-time high, as far as it is wanted; NULL for NULL';

CREATE FUNCTION service_pot(premium numeric, work numeric, alpha numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT CASE WHEN (work >= 0 AND work < 'Infinity') IS NOT TRUE THEN refuse_argument('work', work::text, 'Give a finite number of at least 0.')
		WHEN work > 0 THEN round(premium * power(round(work, 24), alpha), 24) ELSE 0 END;
END;
COMMENT ON FUNCTION service_pot(numeric, numeric, numeric) IS 'premium * work ^ alpha, to twenty-four decimals; 0 without work; NULL for NULL. Errors: work negative, NaN or infinite';
