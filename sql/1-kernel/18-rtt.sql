-- Distance and time: what the speed of light in fibre allows.

CREATE FUNCTION rtt_distance(rtt_ms float8) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION rtt_distance(float8) IS
'the farthest, in metres, that a signal can go and come back within a round-trip time in ms: rtt / 2 * 2/3 c, the speed of light in fibre; NULL if the argument is NULL; negative, NaN and infinite times are errors';

CREATE FUNCTION swarm_reward_internal.distance_rtt(distance_m float8) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.distance_rtt(float8) IS
'the least round-trip time in ms over a distance in metres, the inverse of rtt_distance';

CREATE FUNCTION swarm_reward_internal.geog_checked_point(geography) RETURNS geography
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.geog_checked_point(geography) IS
'its argument if that is a point with SRID 4326 and valid coordinates, else an error';

CREATE FUNCTION min_rtt(a geography, b geography) RETURNS float8
LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
    SELECT distance_rtt(ST_Distance(geog_checked_point(a), geog_checked_point(b), true));
END;
COMMENT ON FUNCTION min_rtt(geography, geography) IS
'the least round-trip time in ms between two points that physics allows: the WGS84 geodesic there and back at 2/3 c; NULL if an argument is NULL; anything but a point is an error';

CREATE FUNCTION service_radius(rtt_ms float8, path_stretch float8 DEFAULT 2) RETURNS float8
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION service_radius(float8, float8) IS
'a latency budget as the radius of a disc, in metres: rtt_distance(rtt_ms) / path_stretch, where path_stretch >= 1 is how much longer than the geodesic network paths are; NULL if an argument is NULL; times that are negative, NaN or infinite are errors';
