/*
 * sums.h: a field with its prefix sums, which answer any interval of cells with one
 * subtraction. There are two forms: one sum for each run, and a bit for each cell where a
 * run starts, so that counting bits finds the run; or, for fields of mostly short runs,
 * sums for cells (grid/tiles.c).
 */
#ifndef SR_SUMS_H
#define SR_SUMS_H

#include "coverage/coverage.h"

#include "access/detoast.h"

#include "base/fixed.h"
#include "coverage/runs.h"
#include "grid/tiles.h"

/* What a prefix sum adds up. */
typedef enum FieldKind
{
	FIELD_VALUES,
	FIELD_NONZERO,				/* 1 for every cell that is not zero */
	FIELD_SINGLE				/* values, of which single cells' will be asked */
} FieldKind;

/* Where runs start among 64 cells. */
typedef struct Block
{
	uint64		bits;			/* bit i: a run starts at cell i of the block */
	uint32		rank;			/* runs that start before the block */
} Block;

/* Blocks per chunk: 65 536 cells. Chunks without a start are not stored. */
#define BLOCK_BITS 6
#define CHUNK_BITS 16

typedef struct Chunk
{
	Block	   *blocks;			/* NULL: no run starts in it */
	uint32		rank;			/* runs that start before it */
} Chunk;

/* First bytes of a field that are compared: fields of 80 runs and less are compared whole. */
#define HEAD_SIZE 1024

typedef struct Field
{
	MemoryContext context;		/* all that depends on the current coverage */
	bool		valid;			/* something is cached */
	int			order;
	char		head[HEAD_SIZE];	/* its first bytes, to tell it from others */
	bool		external;
	struct varatt_external toast;
	FieldKind	kind;
	int			shift;			/* a value v counts as v * 2^shift */

	/* by runs */
	Chunk	   *chunk;
	int128	   *before;			/* sum over the cells before run i */
	double	   *value;			/* what each of its cells counts */
	uint32	   *start;
	uint32	   *ring_run;		/* runs that start before ring i + 1; NULL where rings have many */

	/* by cells */
	bool		by_cells;
	Tiles		tiles;
} Field;

extern Field *sr_field_argument(FunctionCallInfo fcinfo, int argno, FieldKind kind);
extern int128 sr_field_sum_span(const Field *field, int64 first, int64 last);
extern double sr_field_sum_disc(const Field *field, const Disc *disc);
extern double sr_field_value(const Field *field, int64 cell);

/* What a cell of a value counts. */
static inline double
measured(double v, FieldKind kind)
{
	return kind == FIELD_NONZERO ? (v != 0 ? 1.0 : 0.0) : v;
}

/* Scale for a whole field. */
static inline int
coverage_shift(const Coverage *c, FieldKind kind)
{
	return fixed_shift(measured(coverage_largest(c), kind));
}

#endif							/* SR_SUMS_H */
