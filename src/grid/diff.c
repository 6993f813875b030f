/*
 * diff.c: allocation for the difference array.
 */
#include "grid/diff.h"

/* Leaves come in slabs that grow to this many: 8 MB. */
#define MAX_SLAB 2048

/* An array for ncell cells and the position behind the last, all zero. */
Diff *
sr_diff_create(int64 ncell)
{
	int64		nbranches = (ncell >> (DIFF_LEAF_BITS + DIFF_BRANCH_BITS)) + 1;
	size_t		size = offsetof(Diff, branch) + (size_t) nbranches * sizeof(DiffBranch *);
	Diff	   *diff = sr_alloc(size);

	memset(diff, 0, size);
	diff->nbranches = nbranches;
	return diff;
}

/* The leaf with that number, made when there is none yet. */
double *
sr_diff_leaf(Diff *diff, int64 leaf)
{
	DiffBranch **branch = &diff->branch[leaf >> DIFF_BRANCH_BITS];
	double	  **slot;

	if (*branch == NULL)
	{
		*branch = sr_alloc(sizeof(DiffBranch));
		memset(*branch, 0, sizeof(DiffBranch));
	}
	slot = &(*branch)->leaf[leaf & (DIFF_BRANCH_SIZE - 1)];
	if (*slot == NULL)
	{
		if (diff->slab_left == 0)
		{
			/* a quarter of what there is: little is left unused */
			int64		n = Max(1, Min(MAX_SLAB, diff->nleaves / 4));

			diff->slab = sr_alloc((size_t) n * DIFF_LEAF_SIZE * sizeof(double));
			memset(diff->slab, 0, (size_t) n * DIFF_LEAF_SIZE * sizeof(double));
			diff->slab_left = n;
		}
		*slot = diff->slab;
		diff->slab += DIFF_LEAF_SIZE;
		diff->slab_left--;
		diff->nleaves++;
	}
	return *slot;
}

/* Adds count neighbouring entries at once. */
void
sr_diff_add_row(Diff *diff, int64 start, const double *row, int64 count)
{
	while (count > 0)
	{
		int64		at = start & (DIFF_LEAF_SIZE - 1);
		int64		n = Min(count, DIFF_LEAF_SIZE - at);
		double	   *leaf = sr_diff_leaf(diff, start >> DIFF_LEAF_BITS) + at;

		for (int64 i = 0; i < n; i++)
			leaf[i] += row[i];
		row += n;
		start += n;
		count -= n;
	}
}
