/*
 * port.c: what the pure C files need of a server.
 */
#include "base/port.h"

#include <sys/mman.h>

/* Memory of at least so much is asked to lie on large pages. */
#define LARGE (4 * 1024 * 1024)
#define LARGE_PAGE ((uintptr_t) 2 * 1024 * 1024)

/*
 * Memory that is read at random places: the kernel is advised to put it on large
 * pages, which takes the misses of address translation away. Advice only: a refusal
 * does not matter. What is gone through in order has no use for them, and fresh large
 * pages are expensive where the machine is a virtual one that gives back what is free.
 */
void *
sr_alloc_scattered(size_t size)
{
	void	   *p = sr_alloc(size);

#ifdef MADV_HUGEPAGE
	if (size >= LARGE)
	{
		uintptr_t	start = ((uintptr_t) p + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
		uintptr_t	end = ((uintptr_t) p + size) & ~(LARGE_PAGE - 1);

		if (start < end)
			(void) madvise((void *) start, end - start, MADV_HUGEPAGE);
	}
#endif
	return p;
}
