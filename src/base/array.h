/*
 * array.h: the growable array. Pure C.
 *
 *   typedef SR_ARRAY(double) Values;
 *
 *   Values values = {0};
 *   sr_array_push(&values, 1.5);
 *   for (int64 i = 0; i < values.count; i++) … values.items[i] …
 *   sr_array_free(&values);
 *
 * Items move when the array grows: no pointer to one outlives the next addition. In
 * the server the first allocation is in the current memory context, where the items
 * then stay: an array that lives longer gets its first room while its context is the
 * current one.
 */
#ifndef SR_ARRAY_H
#define SR_ARRAY_H

#include "base/port.h"

#define SR_ARRAY(type) \
	struct \
	{ \
		type	   *items; \
		int64		count; \
		int64		capacity; \
	}

/* Makes room for so many more items. */
#define sr_array_reserve(array, more) \
	((array)->items = sr_array_room((array)->items, &(array)->capacity, (array)->count, (more), sizeof(*(array)->items)))

/* Adds an item that is yet to be filled in, and points to it. */
#define sr_array_add(array) \
	(sr_array_reserve(array, 1), &(array)->items[(array)->count++])

#define sr_array_push(array, item) \
	(*sr_array_add(array) = (item))

/* Adds so many items that lie one after the other somewhere else. */
#define sr_array_append(array, from, number) \
	do { \
		int64		number_ = (number); \
		sr_array_reserve(array, number_); \
		if (number_ > 0) \
			memcpy((array)->items + (array)->count, (from), (size_t) number_ * sizeof(*(array)->items)); \
		(array)->count += number_; \
	} while (0)

/* Frees the items; the array is empty and may be used again. */
#define sr_array_free(array) \
	do { \
		if ((array)->items) \
			sr_free((array)->items); \
		(array)->items = NULL; \
		(array)->count = (array)->capacity = 0; \
	} while (0)

extern void *sr_array_grow(void *items, int64 *capacity, int64 count, int64 more, size_t item_size);

/* The items, moved if so many more do not fit. */
static inline void *
sr_array_room(void *items, int64 *capacity, int64 count, int64 more, size_t item_size)
{
	if (likely(more <= *capacity - count))
		return items;
	return sr_array_grow(items, capacity, count, more, item_size);
}

#endif							/* SR_ARRAY_H */
