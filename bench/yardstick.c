/*
 * yardstick.c: what a plain program takes for the work that bench/run asks of
 * the database: a field of supply from discs, demand / supply, and the sum of
 * that in every disc, times the node's weight.
 *
 *   yardstick NODES DEMAND        both as COPY … (FORMAT binary) writes them:
 *     NODES   lon, lat, radius_m, weight; sorted by cell number
 *     DEMAND  one coverage
 *
 * One core, no database, no tricks: one acos per ring and disc, a dense array of
 * differences, a prefix sum. Nodes arrive sorted, which keeps neighbouring
 * discs in the caches; the sort and the reading are not counted.
 *
 * Only the table of rings comes from the extension's own source.
 */
#include <math.h>
#include <time.h>

#include "grid/healpix.h"

typedef struct Node
{
	double		lon,
				lat,
				radius,
				weight;
} Node;

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/* ---------- COPY's binary format ---------- */

static unsigned char *
read_file(const char *name, size_t *size)
{
	FILE	   *f = fopen(name, "rb");
	unsigned char *data;

	if (f == NULL || fseek(f, 0, SEEK_END) != 0)
	{
		perror(name);
		exit(1);
	}
	*size = (size_t) ftell(f);
	rewind(f);
	data = sr_alloc(*size);
	if (fread(data, 1, *size, f) != *size)
	{
		perror(name);
		exit(1);
	}
	fclose(f);
	return data;
}

static uint64
read_int(const unsigned char *at, int bytes)
{
	uint64		v = 0;

	for (int i = 0; i < bytes; i++)
		v = v << 8 | at[i];
	return v;
}

static double
read_double(const unsigned char *at)
{
	uint64		bits = read_int(at, 8);
	double		v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

#define COPY_HEADER 19

static Node *
read_nodes(const char *name, size_t *count)
{
	size_t		size;
	unsigned char *data = read_file(name, &size);
	/* a row: the number of columns, then four times a length and a float8 */
	size_t		row = 2 + 4 * (4 + 8);
	Node	   *nodes;

	*count = (size - COPY_HEADER - 2) / row;
	nodes = sr_alloc(*count * sizeof(Node));
	for (size_t i = 0; i < *count; i++)
	{
		const unsigned char *at = data + COPY_HEADER + i * row + 2 + 4;

		nodes[i].lon = read_double(at);
		nodes[i].lat = read_double(at + 12);
		nodes[i].radius = read_double(at + 24);
		nodes[i].weight = read_double(at + 36);
	}
	free(data);
	return nodes;
}

/* The order, and a value for each cell. */
static double *
read_coverage(const char *name, int *order)
{
	size_t		size;
	unsigned char *data = read_file(name, &size);
	unsigned char *at = data + COPY_HEADER + 2 + 4;
	uint64		nruns = read_int(at + 2, 4);
	uint64		ncell;
	double	   *values;

	*order = at[1];
	ncell = UINT64_C(12) << (2 * *order);
	values = sr_alloc(ncell * sizeof(double));
	at += 6;
	for (uint64 i = 0; i < nruns; i++, at += 12)
	{
		uint64		end = i + 1 < nruns ? read_int(at + 12, 4) : ncell;

		for (uint64 cell = read_int(at, 4); cell < end; cell++)
			values[cell] = read_double(at + 4);
	}
	free(data);
	return values;
}

/* ---------- discs ---------- */

/*
 * For every stretch of cells in a disc, first to last: with weight, adds it to
 * the differences; without, returns the sum of the prefix sums' differences.
 */
static double
scan(const HpxGrid *grid, const Node *node, double *difference, const double *before)
{
	double		lat = node->lat * M_PI / 180;
	double		w = 1 - SR_WGS84_E2 * sin(lat) * sin(lat);
	double		n = SR_WGS84_A / sqrt(w);
	double		p0 = n * cos(lat);
	double		z0 = n * (1 - SR_WGS84_E2) * sin(lat);
	double		gauss = SR_WGS84_A * sqrt(1 - SR_WGS84_E2) / w;
	double		chord = 2 * gauss * sin(node->radius / (2 * gauss));
	double		reach = 1.001 * node->radius / (SR_WGS84_A * (1 - SR_WGS84_E2));
	double		turn = node->lon / 360 - floor(node->lon / 360);
	int			first = 1;
	int			last = grid->nring;
	double		sum = 0;

	if (lat + reach < M_PI / 2)
		first = Max(1, sr_hpx_ring_above(grid, hpx_authalic_z(sin(lat + reach))));
	if (lat - reach > -M_PI / 2)
		last = Min(last, sr_hpx_ring_above(grid, hpx_authalic_z(sin(lat - reach))) + 1);

	for (int i = first; i <= last; i++)
	{
		const HpxRing *ring = HPX_RING(grid, i);
		double		p = ring->p;
		double		dz = ring->z - z0;
		double		cosine = (p * p + p0 * p0 + dz * dz - chord * chord) / (2 * p * p0);
		int64		end = ring->start + ring->ncell;
		int64		lo,
					hi;

		if (cosine > 1)
			continue;
		if (cosine <= -1)
		{
			lo = ring->start;
			hi = end - 1;
		}
		else
		{
			double		half = acos(cosine) / (2 * M_PI) * ring->ncell;
			double		middle = turn * ring->ncell - ring->shift;

			lo = ring->start + (int64) ceil(middle - half);
			hi = ring->start + (int64) floor(middle + half);
			if (lo > hi)
				continue;
		}
		if (lo < ring->start)	/* over longitude 0, from the west */
		{
			if (difference != NULL)
			{
				difference[lo + ring->ncell] += node->weight;
				difference[end] -= node->weight;
			}
			else
				sum += before[end] - before[lo + ring->ncell];
			lo = ring->start;
		}
		if (hi >= end)			/* … from the east */
		{
			if (difference != NULL)
			{
				difference[ring->start] += node->weight;
				difference[hi - ring->ncell + 1] -= node->weight;
			}
			else
				sum += before[hi - ring->ncell + 1] - before[ring->start];
			hi = end - 1;
		}
		if (difference != NULL)
		{
			difference[lo] += node->weight;
			difference[hi + 1] -= node->weight;
		}
		else
			sum += before[hi + 1] - before[lo];
	}
	return sum;
}

int
main(int argc, char **argv)
{
	size_t		count;
	int			order;
	int64		ncell;
	Node	   *nodes;
	double	   *demand,
			   *supply,
			   *before;
	const HpxGrid *grid;
	double		total = 0,
				start,
				discs,
				field,
				shares;

	if (argc != 3)
	{
		fprintf(stderr, "usage: yardstick NODES DEMAND\n");
		return 2;
	}
	nodes = read_nodes(argv[1], &count);
	demand = read_coverage(argv[2], &order);
	grid = sr_hpx_grid(order);
	ncell = grid->ncell;

	start = now();
	supply = calloc((size_t) ncell + 1, sizeof(double));
	if (supply == NULL)
		abort();
	for (size_t i = 0; i < count; i++)
		(void) scan(grid, &nodes[i], supply, NULL);
	for (int64 cell = 1; cell < ncell; cell++)
		supply[cell] += supply[cell - 1];
	discs = now();

	before = sr_alloc(((size_t) ncell + 1) * sizeof(double));
	before[0] = 0;
	for (int64 cell = 0; cell < ncell; cell++)
		before[cell + 1] = before[cell] + (supply[cell] == 0 ? 0 : demand[cell] / supply[cell]);
	field = now();

	for (size_t i = 0; i < count; i++)
		total += nodes[i].weight * scan(grid, &nodes[i], NULL, before);
	shares = now();

	/* seconds: discs to supply, demand / supply, shares, all; then the sum of the shares */
	printf("%.3f %.3f %.3f %.3f %.17g\n", discs - start, field - discs, shares - field, shares - start, total);
	return 0;
}
