-- Cell by cell arithmetic. A number stands for the field that has it everywhere.

CREATE FUNCTION swarm_reward_internal.coverage_add(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_add(coverage, coverage) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_add,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (coverage, coverage) IS
'sum, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_add_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_add_scalar(coverage, float8) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_add_scalar,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (coverage, float8) IS
'sum, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.scalar_add_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.scalar_add_coverage(float8, coverage) IS 'implementation of + operator';

CREATE OPERATOR + (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_add_coverage,
    COMMUTATOR = +
);
COMMENT ON OPERATOR + (float8, coverage) IS
'sum, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_sub(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_sub(coverage, coverage) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_sub
);
COMMENT ON OPERATOR - (coverage, coverage) IS
'difference, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_sub_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_sub_scalar(coverage, float8) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_sub_scalar
);
COMMENT ON OPERATOR - (coverage, float8) IS
'difference, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.scalar_sub_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.scalar_sub_coverage(float8, coverage) IS 'implementation of - operator';

CREATE OPERATOR - (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_sub_coverage
);
COMMENT ON OPERATOR - (float8, coverage) IS
'difference, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_mul(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_mul(coverage, coverage) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_mul,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (coverage, coverage) IS
'product, cell by cell; grid orders must match; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_mul_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_mul_scalar(coverage, float8) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_mul_scalar,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (coverage, float8) IS
'product, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.scalar_mul_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.scalar_mul_coverage(float8, coverage) IS 'implementation of * operator';

CREATE OPERATOR * (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_mul_coverage,
    COMMUTATOR = *
);
COMMENT ON OPERATOR * (float8, coverage) IS
'product, cell by cell; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_div(coverage, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_div(coverage, coverage) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_div
);
COMMENT ON OPERATOR / (coverage, coverage) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; grid orders must match; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.coverage_div_scalar(coverage, float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_div_scalar(coverage, float8) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = coverage, RIGHTARG = float8, FUNCTION = coverage_div_scalar
);
COMMENT ON OPERATOR / (coverage, float8) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; the number must be finite; an error when a result is not finite';

CREATE FUNCTION swarm_reward_internal.scalar_div_coverage(float8, coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION swarm_reward_internal.scalar_div_coverage(float8, coverage) IS 'implementation of / operator';

CREATE OPERATOR / (
    LEFTARG = float8, RIGHTARG = coverage, FUNCTION = scalar_div_coverage
);
COMMENT ON OPERATOR / (float8, coverage) IS
'quotient, cell by cell; x/0 = 0, also for 0/0; the number must be finite; an error when a result is not finite';

CREATE FUNCTION coverage_least(a coverage, b coverage) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_least' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_least(coverage, coverage) IS
'the smaller of two fields, cell by cell; grid orders must match; NULL if an argument is NULL';

CREATE FUNCTION coverage_least(a coverage, b float8) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_least_scalar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_least(coverage, float8) IS
'the smaller of each cells value and a finite number; NULL if an argument is NULL';

CREATE FUNCTION coverage_greatest(a coverage, b coverage) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_greatest' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_greatest(coverage, coverage) IS
'the larger of two fields, cell by cell; grid orders must match; NULL if an argument is NULL';

CREATE FUNCTION coverage_greatest(a coverage, b float8) RETURNS coverage
AS 'MODULE_PATHNAME', 'coverage_greatest_scalar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_greatest(coverage, float8) IS
'the larger of each cells value and a finite number; NULL if an argument is NULL';

CREATE FUNCTION coverage_mask(c coverage, at_least float8) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_mask(coverage, float8) IS
'1 in the cells whose value is at least the threshold, which must be above 0, else 0; NULL if an argument is NULL';

CREATE FUNCTION coverage_round(c coverage) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION coverage_round(coverage) IS
'every value rounded to the nearest multiple of 2^-16, ties to even, as sum(coverage) needs them; NULL if the argument is NULL';
