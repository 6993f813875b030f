/*
 * wilson.c: the one-sided Wilson bound (E. B. Wilson, JASA 22, 1927) with the
 * normal quantile of M. J. Wichura, Algorithm AS 241 (PPND16), Applied
 * Statistics 37, 1988.
 *
 * Only + - * / and sqrt, which IEEE 754 rounds correctly: the bits are the same
 * on every machine, which libm's log does not promise.
 */
#include "telemetry/wilson.h"

#include <math.h>

/* Natural logarithm of a positive finite x, within two units in the last place for x < 0.5. */
static double
portable_log(double x)
{
	const double ln2_high = 6.93147180369123816490e-01;
	const double ln2_low = 1.90821492927058770002e-10;
	int			exponent;
	double		mantissa = frexp(x, &exponent);
	double		s;
	double		z;
	double		series = 0;

	if (mantissa < 0.70710678118654752440)
	{
		mantissa *= 2;
		exponent--;
	}

	/* log m = 2 atanh((m - 1) / (m + 1)), and |s| < 0.1716 */
	s = (mantissa - 1) / (mantissa + 1);
	z = s * s;
	for (int k = 25; k >= 3; k -= 2)
		series = (series + 1.0 / k) * z;
	return exponent * ln2_high + (2 * s + (2 * s * series + exponent * ln2_low));
}

/* c[0] + c[1] x + … + c[7] x^7 */
static double
polynomial(const double *c, double x)
{
	double		value = c[7];

	for (int i = 6; i >= 0; i--)
		value = value * x + c[i];
	return value;
}

/* The z with P(Z ≤ z) = probability, which lies strictly between 0 and 1. */
double
sr_normal_quantile(double probability)
{
	static const double a[8] = {
		3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
		4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3
	};
	static const double b[8] = {
		1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
		2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3
	};
	static const double c[8] = {
		1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
		1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4
	};
	static const double d[8] = {
		1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
		1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9
	};
	static const double e[8] = {
		6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
		2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7
	};
	static const double f[8] = {
		1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
		7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15
	};
	double		q = probability - 0.5;
	double		r;
	double		z;

	if (fabs(q) <= 0.425)
	{
		r = 0.180625 - q * q;
		return q * polynomial(a, r) / polynomial(b, r);
	}

	r = sqrt(-portable_log(q < 0 ? probability : 1 - probability));
	if (r <= 5)
		z = polynomial(c, r - 1.6) / polynomial(d, r - 1.6);
	else
		z = polynomial(e, r - 5) / polynomial(f, r - 5);
	return q < 0 ? -z : z;
}

/*
 * The upper end of the one-sided Wilson interval for an error rate: 0 ≤ errors ≤
 * samples, samples > 0, 0 < confidence < 1. In [0, 1], and never on the wrong
 * side of the observed rate.
 */
double
sr_wilson_upper(int64_t errors, int64_t samples, double confidence)
{
	double		n = (double) samples;
	double		rate = (double) errors / n;
	double		z = sr_normal_quantile(confidence);
	double		z2 = z * z / n;
	double		upper = (rate + z2 / 2 + z * sqrt((rate * (1 - rate) + z2 / 4) / n)) / (1 + z2);

	if (z >= 0 ? upper < rate : upper > rate)
		upper = rate;
	return upper < 0 ? 0 : upper > 1 ? 1 : upper;
}
