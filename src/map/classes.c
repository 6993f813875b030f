/*
 * classes.c: few round numbers that tell the values of a field apart.
 */
#include "map/map.h"

static int
compare_values(const void *a, const void *b)
{
	double		x = ((const Brick *) a)->value,
				y = ((const Brick *) b)->value;

	CHECK_FOR_INTERRUPTS();
	return (x > y) - (x < y);
}

/* How many cells of the display grid bricks are. */
static double
size_of(const Bricks *b, const Brick *brick)
{
	return rint((brick->span.to - brick->span.from) * HPX_RING(b->grid, brick->span.row + 1)->ncell);
}

/* floor(log10(v)) or one more; v > 0 */
static int
exponent_of(double v)
{
	char		text[40];

	snprintf(text, sizeof(text), "%.0e", v);
	return atoi(strchr(text, 'e') + 1);
}

/*
 * The k-th number of a series. Logarithmic ones: 1, 2, 5, 10, ... (0), 1, 3, 10, ... (1), every
 * power of ten, every second, ... Else the multiples of 1, 2, 2.5, 5, 10, ...
 */
static double
round_number(bool logarithmic, int series, int64 k)
{
	static const int steps[] = {10, 20, 25, 50};
	static const int digits[2][3] = {{1, 2, 5}, {1, 3}};
	int			n = 3 - series;		/* numbers in a decade of the first two */
	char		text[40];

	if (!logarithmic)
		snprintf(text, sizeof(text), INT64_FORMAT "e%d", k * steps[(series % 4 + 4) % 4], (int) floor(series / 4.0));
	else if (series < 2)
		snprintf(text, sizeof(text), "%de%d", digits[series][(k % n + n) % n], (int) floor((double) k / n));
	else
		snprintf(text, sizeof(text), "1e%d", (int) k * (series - 1));
	/* the float8 nearest to it, whatever the C library */
	return strtod(text, NULL);
}

/* Bounds above lo, up to hi of as many classes as there may be. The first class begins at 0. */
static void
choose_bounds(Classes *classes, double lo, double hi)
{
	bool		logarithmic = hi > 20 * lo;

	for (int series = logarithmic ? 0 : 4 * (exponent_of(hi - lo) - 3);; series++)
	{
		int64		k;
		double		v;

		if (logarithmic)
			k = (exponent_of(lo) - 1) * Max(3 - series, 1) / Max(series - 1, 1) - 1;
		else
			k = (int64) Min(floor(lo / round_number(false, series, 1)), 1e15);
		classes->bound[0] = 0;
		classes->n = 1;
		for (; (v = round_number(logarithmic, series, k)) <= hi; k++)
		{
			if (v <= lo)
				continue;
			if (classes->n++ == SR_MAX_CLASSES)
				break;
			classes->bound[classes->n - 1] = v;
		}
		if (classes->n <= SR_MAX_CLASSES)
			return;
	}
}

/*
 * Classes of the bricks of one sign. Few different values are a class each. Else the
 * bounds are round numbers between the 2nd and the 98th percentile of the area:
 * at equal steps, or logarithmic where these lie more than 20 times apart.
 */
void
sr_classes_choose(Bricks *b, int sign, Classes *classes)
{
	int64		n = b->list.count;
	int			different = 0;
	double		lo = 0,
				hi = 0,
				last = 0,
				total = 0,
				seen = 0,
				least;

	qsort(b->list.items, n, sizeof(Brick), compare_values);
	for (int64 i = 0; i < n; i++)
		total += sign * b->list.items[i].value > 0 ? size_of(b, &b->list.items[i]) : 0;
	for (int64 i = 0; i < n; i++)
	{
		const Brick *brick = &b->list.items[sign < 0 ? n - 1 - i : i];
		double		v = sign * brick->value;

		if (!(v > 0))
			continue;
		if (v != last && different++ < SR_MAX_CLASSES)
			classes->bound[different - 1] = v;
		if (seen <= 0.02 * total)
			lo = v;
		if (seen <= 0.98 * total)
			hi = v;
		seen += size_of(b, brick);
		last = v;
	}
	classes->n = different;
	if (different <= SR_MAX_CLASSES)
		return;
	least = classes->bound[0];
	/* where most are one value, from the least to the greatest */
	choose_bounds(classes, lo == hi ? least : lo, lo == hi ? last : hi);
	/* a first class without members would only puzzle */
	while (classes->n > 1 && classes->bound[1] <= least)
		memmove(&classes->bound[0], &classes->bound[1], --classes->n * sizeof(double));
}
