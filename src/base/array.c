/*
 * array.c: growth of the growable array.
 */
#include "base/array.h"

#define FIRST_CAPACITY 16		/* items */

/*
 * Room for more items than fit: twice as much as there was, so that each item is
 * moved twice on average, or what is asked for if that is more.
 */
void *
sr_array_grow(void *items, int64 *capacity, int64 count, int64 more, size_t item_size)
{
	int64		wanted;
	int64		twice;
	size_t		size;

	if (__builtin_add_overflow(count, more, &wanted))
		sr_out_of_memory();
	if (__builtin_mul_overflow(*capacity, 2, &twice))
		twice = wanted;
	wanted = Max(Max(wanted, twice), FIRST_CAPACITY);
	if (__builtin_mul_overflow((size_t) wanted, item_size, &size) || size > SR_MAX_ALLOC)
		sr_out_of_memory();
	items = items == NULL ? sr_alloc(size) : sr_realloc(items, size);
	*capacity = wanted;
	return items;
}
