/*
 * newcomer.h: what one more node would change of the fields of an epoch. Pure C.
 *
 * Where a node's disc reaches, supply rises by s = x / W, its contribution over the demand
 * in its reach. That pays it, takes from others, and raises what is taken for given.
 */
#ifndef SR_NEWCOMER_H
#define SR_NEWCOMER_H

#include "grid/disc.h"
#include "grid/healpix.h"
#include "grid/scan.h"

/* Entries that are worked on together; what is behind the last one is read and counts nothing. */
#define NEWCOMER_LANES 8

/* The rules of an epoch as far as they matter here. */
typedef struct NewcomerRules
{
	double		target;			/* T: supply at which a cell is served */
	double		kept;			/* mean of what is left of a reference above, and below, what is there */
	double		faded;
	bool		baseline;		/* what is there, the newcomer too, is taken for given */
	double		days;			/* length of the epoch */
	double		multiplier_max; /* M of regions */
} NewcomerRules;

/* The node. */
typedef struct Newcomer
{
	double		reach;			/* m */
	double		contribution;	/* x */
	double		tenure;
	double		freshness;
} Newcomer;

/* A region of the epoch. */
typedef struct NewcomerRegion
{
	double		demand;
	double		given;
	double		target_fraction;
	double		fresh;
	double		pot;
} NewcomerRegion;

/* Runs of a field that hold the cells asked for. */
typedef struct NewcomerField
{
	uint32		nruns;
	const uint32 *starts;
	const double *values;
} NewcomerField;

/*
 * Demand: an entry for each cell and region that wants something there, in the order of
 * cells, with what the fields have in the cell.
 */
typedef struct NewcomerDemand
{
	const HpxGrid *grid;
	int64		first;			/* cells first .. end - 1, of which only those in spans are read */
	int64		end;
	const SpanList *spans;		/* ascending */
	uint32	   *before;			/* by cell - first, up to end: entries of the cells before it */
	int64		count;
	int32	   *region;			/* -1: none */
	uint32	   *until;			/* the next entry that is another region's */
	double	   *demand;
	double	   *sum;			/* demand of the entries before; one more than there are entries */
	double	   *supply;
	double	   *mature;			/* mature supply */
	double	   *reference;
	double	   *mean;			/* mean reference over the epoch */
	double	   *paid;			/* mature supply times newly served demand per unit of supply */
} NewcomerDemand;

/* Entries from .. to - 1. */
typedef struct EntrySpan
{
	uint32		from;
	uint32		to;
} EntrySpan;

/* Memory of sr_score_newcomer. */
typedef struct NewcomerWork
{
	EntrySpan  *spans;
	double	   *rise;			/* by region: rise of what is given, 0 between calls */
	int32	   *touched;		/* regions in the disc */
	bool	   *is_touched;
} NewcomerWork;

/* What a node scores in the two pools that depend on fields, and what all of them score more. */
typedef struct NewcomerScores
{
	double		in_reach;		/* W */
	double		gap;			/* geographic_gaps */
	double		gap_more;
	double		region;			/* new_regions */
	double		region_more;
} NewcomerScores;

/* A pool of the epoch. */
typedef struct NewcomerPool
{
	double		available;		/* base units */
	double		price_max;		/* infinite: no ceiling */
	double		score;			/* of all nodes */
	int32		cap_bps;		/* 0: none */
	int32		nproviders;		/* as many as a cap may hold back */
	const double *largest;		/* their scores, from the largest on */
	const double *largest_sum;	/* sums of the first 0 .. nproviders of them */
} NewcomerPool;

extern void sr_newcomer_demand_init(NewcomerDemand *d, const HpxGrid *grid, const SpanList *spans);
extern void sr_newcomer_demand_count(NewcomerDemand *d, const NewcomerField *field);
extern bool sr_newcomer_demand_counted(NewcomerDemand *d);
extern void sr_newcomer_demand_put(NewcomerDemand *d, int32 region, const NewcomerField *field);
extern void sr_newcomer_fill(const NewcomerDemand *d, double *column, const NewcomerField *field);
extern void sr_newcomer_prepare(NewcomerDemand *d, const NewcomerRules *rules);
extern void sr_newcomer_work_init(NewcomerWork *work, const HpxGrid *grid, int32 nregions);
extern NewcomerScores sr_score_newcomer(const NewcomerDemand *d, const NewcomerRules *rules, const NewcomerRegion *regions,
										const Newcomer *node, double lon, double lat, int32 own_region, NewcomerWork *work);
extern double sr_newcomer_amount(const NewcomerPool *pool, double own, double more);

#endif							/* SR_NEWCOMER_H */
