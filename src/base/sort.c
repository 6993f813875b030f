/*
 * sort.c: a merge sort, because the C library's qsort takes seconds for millions of
 * items and cannot be interrupted.
 */
#include "base/sort.h"

/* Items between two checks for interrupts: a millisecond or so. */
#define STRETCH 16384

/* Sorts items and returns them, maybe in new memory. */
void *
sr_sort(void *items, int64 count, size_t item_size, SrCompare compare)
{
	int64		ordered = 1;
	char	   *from = items;
	char	   *to;

	for (; ordered < count; ordered++)
	{
		if (ordered % STRETCH == 0)
			sr_check_interrupts();
		if (compare(from + (size_t) (ordered - 1) * item_size, from + (size_t) ordered * item_size) > 0)
			break;
	}
	if (ordered >= count)
		return items;

	for (int64 at = 0; at < count; at += STRETCH)
	{
		sr_check_interrupts();
		qsort(from + (size_t) at * item_size, (size_t) Min(STRETCH, count - at), item_size, compare);
	}
	if (count <= STRETCH)
		return items;

	/* merge ever longer stretches, from one piece of memory into another and back */
	to = sr_alloc((size_t) count * item_size);
	for (int64 width = STRETCH; width < count; width *= 2)
	{
		char	   *swap;

		for (int64 at = 0; at < count; at += 2 * width)
		{
			int64		i = at;
			int64		middle = Min(at + width, count);
			int64		j = middle;
			int64		end = Min(at + 2 * width, count);

			for (int64 k = at; k < end; k++)
			{
				int64		next;

				if (k % STRETCH == 0)
					sr_check_interrupts();
				if (j >= end || (i < middle && compare(from + (size_t) i * item_size, from + (size_t) j * item_size) <= 0))
					next = i++;
				else
					next = j++;
				memcpy(to + (size_t) k * item_size, from + (size_t) next * item_size, item_size);
			}
		}
		swap = from;
		from = to;
		to = swap;
	}
	sr_free(to);
	return from;
}
