/*
 * rtt.c: what the speed of light in fibre allows.
 */
#include "postgres.h"
#include "base/compat.h"

#include <math.h>

#include "common/shortest_dec.h"

/* Light in fibre covers two thirds of c; half the round trip is the way there. */
#define SPEED_OF_LIGHT 299792458.0	/* m/s, exact by definition of the metre */
#define METRES_PER_RTT_MS (SPEED_OF_LIGHT * 2.0 / 3.0 / 2.0 / 1000.0)

static double
check_rtt(double rtt_ms)
{
	if (isnan(rtt_ms) || isinf(rtt_ms) || rtt_ms < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("round-trip time %s ms is not a finite number of at least 0", double_to_shortest_decimal(rtt_ms))));
	return rtt_ms;
}

/* Metres light can go and return within a round-trip time. */
static double
distance_for(double rtt_ms)
{
	double		m = check_rtt(rtt_ms) * METRES_PER_RTT_MS;

	if (isinf(m))
		ereport(ERROR,
				(errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
				 errmsg("distance for a round-trip time of %s ms is out of range", double_to_shortest_decimal(rtt_ms))));
	return m;
}

SR_FUNCTION(rtt_distance);
Datum
rtt_distance(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(distance_for(PG_GETARG_FLOAT8(0)));
}

/* The inverse: the least round-trip time in ms over a distance in metres. */
SR_FUNCTION(distance_rtt);
Datum
distance_rtt(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(PG_GETARG_FLOAT8(0) / METRES_PER_RTT_MS);
}

/* Radius of the disc served within a round-trip time when paths are longer than straight. */
SR_FUNCTION(service_radius);
Datum
service_radius(PG_FUNCTION_ARGS)
{
	double		distance = distance_for(PG_GETARG_FLOAT8(0));
	double		stretch = PG_GETARG_FLOAT8(1);

	if (isnan(stretch) || isinf(stretch) || stretch < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("path stretch %s is not a finite number of at least 1", double_to_shortest_decimal(stretch)),
				 errhint("Path stretch is the length of the path over the distance between its ends.")));
	PG_RETURN_FLOAT8(distance / stretch);
}
