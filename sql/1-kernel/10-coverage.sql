-- The type coverage: a piecewise-constant field over the whole Earth.

CREATE TYPE coverage;

CREATE FUNCTION swarm_reward_internal.coverage_in(cstring) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_in(cstring) IS 'text input: order:{[first,end)=value,...}, or order: and base64 of the binary form';

CREATE FUNCTION swarm_reward_internal.coverage_out(coverage) RETURNS cstring
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_out(coverage) IS 'text output: order:{[first,end)=value,...}, values as the shortest text that reads back exactly; of more than 65 536 runs order: and base64 of the binary form';

CREATE FUNCTION swarm_reward_internal.coverage_recv(internal) RETURNS coverage
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_recv(internal) IS 'binary input, validated in full';

CREATE FUNCTION swarm_reward_internal.coverage_send(coverage) RETURNS bytea
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_send(coverage) IS 'binary output: version, order, number of runs, then start cell and value of each run';

CREATE TYPE coverage (
    INPUT = coverage_in,
    OUTPUT = coverage_out,
    RECEIVE = coverage_recv,
    SEND = coverage_send,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = double,
    -- out of line and as it is: pglz takes seconds over what it hardly shrinks
    STORAGE = external
);
COMMENT ON TYPE coverage IS
'a float8 value for every cell of an equal-area grid over the whole Earth (HEALPix RING on WGS84 authalic latitude, order 0 to 13); zero where nothing was said';

CREATE FUNCTION swarm_reward_internal.coverage_eq(coverage, coverage) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_eq(coverage, coverage) IS 'implementation of = operator';

CREATE FUNCTION swarm_reward_internal.coverage_ne(coverage, coverage) RETURNS boolean
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_ne(coverage, coverage) IS 'implementation of <> operator';

CREATE FUNCTION swarm_reward_internal.coverage_hash(coverage) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_hash(coverage) IS 'hash support';

CREATE FUNCTION swarm_reward_internal.coverage_hash_extended(coverage, bigint) RETURNS bigint
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.coverage_hash_extended(coverage, bigint) IS 'hash support with a seed';

CREATE OPERATOR = (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_eq,
    COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES
);
COMMENT ON OPERATOR = (coverage, coverage) IS 'same grid order and same bits in every cell';

CREATE OPERATOR <> (
    LEFTARG = coverage, RIGHTARG = coverage, FUNCTION = coverage_ne,
    COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (coverage, coverage) IS 'differ in grid order or in some cell';

CREATE OPERATOR CLASS coverage_ops DEFAULT FOR TYPE coverage USING hash AS
    OPERATOR 1 = (coverage, coverage),
    FUNCTION 1 coverage_hash(coverage),
    FUNCTION 2 coverage_hash_extended(coverage, bigint);
COMMENT ON OPERATOR CLASS coverage_ops USING hash IS 'hashing and grouping of coverages';
