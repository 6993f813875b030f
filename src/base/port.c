/*
 * port.c: what the pure C files need of a server.
 */
#include "base/port.h"

#include <sys/mman.h>

/* Memory of at least so much is asked to lie on large pages. */
#define LARGE (4 * 1024 * 1024)
#define LARGE_PAGE ((uintptr_t) 2 * 1024 * 1024)

/* Advice only: a refusal does not matter. */
static void
advise_large_pages(void *p, size_t size)
{
#ifdef MADV_HUGEPAGE
	if (size >= LARGE)
	{
		uintptr_t	start = ((uintptr_t) p + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
		uintptr_t	end = ((uintptr_t) p + size) & ~(LARGE_PAGE - 1);

		if (start < end)
			(void) madvise((void *) start, end - start, MADV_HUGEPAGE);
	}
#endif
}

/*
 * Memory of which much will be used. The kernel is advised to put it on large pages:
 * that takes away the misses of address translation where it is read at random
 * places, and most of the faults with which it is given out, which in a virtual
 * machine can take longer than what is then done with it.
 */
void *
sr_alloc_large(size_t size)
{
	void	   *p = sr_alloc(size);

	advise_large_pages(p, size);
	return p;
}

void *
sr_realloc_large(void *p, size_t size)
{
	p = sr_realloc(p, size);
	advise_large_pages(p, size);
	return p;
}
