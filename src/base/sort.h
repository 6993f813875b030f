/*
 * sort.h: sorting that can be interrupted. Pure C.
 */
#ifndef SR_SORT_H
#define SR_SORT_H

#include "base/port.h"

typedef int (*SrCompare) (const void *a, const void *b);

/*
 * Sorts items (equal ones in any order) and returns them: as they lie, or in new
 * memory, and then the old is freed.
 */
extern void *sr_sort(void *items, int64 count, size_t item_size, SrCompare compare);

/* Sorts a growable array (array.h). */
#define sr_array_sort(array, compare) \
	((array)->items = sr_sort_array((array)->items, (array)->count, &(array)->capacity, sizeof(*(array)->items), (compare)))

static inline void *
sr_sort_array(void *items, int64 count, int64 *capacity, size_t item_size, SrCompare compare)
{
	void	   *sorted = sr_sort(items, count, item_size, compare);

	if (sorted != items)
		*capacity = count;
	return sorted;
}

#endif							/* SR_SORT_H */
