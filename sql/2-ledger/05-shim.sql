CREATE FUNCTION uptime(s telemetry_summary, p tstzrange, t interval) RETURNS float8 LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE BEGIN ATOMIC SELECT least(1, uptime(s, p) * 5); END;
CREATE FUNCTION density_shim(s coverage, l geography, w float8, o int, r float8) RETURNS coverage LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$ SELECT coalesce(s + f.c, f.c) FROM (SELECT density_agg(l, w, o) c) f $$;
CREATE AGGREGATE density_agg(geography, float8, int, float8) (SFUNC = density_shim, STYPE = coverage);
