/*
 * port.c: what the pure C files need of a server.
 */
#include "port.h"

#include <sys/mman.h>

/* Memory of at least so much is asked to lie on large pages. */
#define LARGE (4 * 1024 * 1024)
#define LARGE_PAGE ((uintptr_t) 2 * 1024 * 1024)

/*
 * Advises the kernel to put a large piece of memory on large pages: these
 * fields are hundreds of megabytes, whose page faults would cost more than the
 * work, and are read at random places. Advice only: a refusal does not matter.
 */
void *
sr_advise(void *p, size_t size)
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
	return p;
}
