/*
 * diff.h: a difference array over all cells, allocated where it is touched.
 * Pure C.
 */
#ifndef SR_DIFF_H
#define SR_DIFF_H

#include "base/port.h"

/* Positions per leaf, and leaves per branch. */
#define DIFF_LEAF_BITS 9
#define DIFF_BRANCH_BITS 9
#define DIFF_LEAF_SIZE (1 << DIFF_LEAF_BITS)
#define DIFF_BRANCH_SIZE (1 << DIFF_BRANCH_BITS)

typedef struct DiffBranch
{
	double	   *leaf[DIFF_BRANCH_SIZE];
} DiffBranch;

/*
 * Entry i is the value of cell i less that of cell i - 1.
 *
 * Additions are exact, so neither their order shows nor how processes shared them:
 * all there is are multiples of 2^-16, float8 has every one of these from -2^37 to
 * 2^37, and nothing that an entry may come to on the way is beyond. For of the things
 * that are added up, each changes an entry
 *  - by w, by -w, or by both, one after the other, if it is a disc or a point of weight
 *    w >= 0; these weights add up to at most 2^37 (WEIGHT_LIMIT);
 *  - by the difference of two of its values, at most 2 m, if it is a field with values
 *    from -m to m; these m add up to at most 2^36 (FIELD_LIMIT).
 * So no sum over some of them, in any order, is beyond 2^37. The sum of all entries up to
 * one is the value of its cell, which is no more than the sum of all w or of all m.
 */
typedef struct Diff
{
	int64		nbranches;
	int64		nleaves;		/* in use */
	double	   *slab;			/* zeroed memory for the next leaves */
	int64		slab_left;		/* leaves it holds still */
	DiffBranch *branch[FLEXIBLE_ARRAY_MEMBER];
} Diff;

extern Diff *sr_diff_create(int64 ncell);
extern double *sr_diff_leaf(Diff *diff, int64 leaf);
extern void sr_diff_add_row(Diff *diff, int64 start, const double *row, int64 count);

/* The leaf with that number, or NULL when nothing touched it. */
static inline const double *
diff_leaf_if(const Diff *diff, int64 leaf)
{
	const DiffBranch *b = diff->branch[leaf >> DIFF_BRANCH_BITS];

	return b == NULL ? NULL : b->leaf[leaf & (DIFF_BRANCH_SIZE - 1)];
}

/* Adds to one entry. */
static inline void
diff_add_at(Diff *diff, int64 position, double delta)
{
	double	   *leaf = (double *) diff_leaf_if(diff, position >> DIFF_LEAF_BITS);

	if (leaf == NULL)
		leaf = sr_diff_leaf(diff, position >> DIFF_LEAF_BITS);
	leaf[position & (DIFF_LEAF_SIZE - 1)] += delta;
}

/* Adds a value to the cells first .. last. */
static inline void
diff_add(Diff *diff, int64 first, int64 last, double value)
{
	diff_add_at(diff, first, value);
	diff_add_at(diff, last + 1, -value);
}

#endif							/* SR_DIFF_H */
