/*
 * port.h: memory, errors and interrupts for the pure C files, which are built
 * twice: into the extension, and with SR_STANDALONE into plain test programs.
 */
#ifndef SR_PORT_H
#define SR_PORT_H

#ifdef SR_STANDALONE

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int32_t int32;
typedef int64_t int64;
typedef uint8_t uint8;
typedef uint16_t uint16;
typedef uint32_t uint32;
typedef uint64_t uint64;
typedef __int128 int128;
typedef unsigned __int128 uint128;

#define Assert(x) do { if (!(x)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); abort(); } } while (0)
#define FLEXIBLE_ARRAY_MEMBER
#define likely(x) __builtin_expect((x) != 0, 1)
#define unlikely(x) __builtin_expect((x) != 0, 0)
#define Min(a, b) ((a) < (b) ? (a) : (b))
#define Max(a, b) ((a) > (b) ? (a) : (b))

/* Memory of the size of at least a byte, until it is freed. */
static inline void *
sr_alloc(size_t size)
{
	void	   *p = malloc(size ? size : 1);

	if (p == NULL)
		abort();
	return p;
}

static inline void *
sr_realloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (p == NULL)
		abort();
	return p;
}

#define sr_alloc_large(size) sr_alloc(size)
#define sr_realloc_large(p, size) sr_realloc(p, size)
#define sr_out_of_memory() abort()
#define sr_free(p) free(p)
#define sr_check_interrupts() ((void) 0)

#else

#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/memutils.h"

/* Memory in the current context, beyond 1 GB if need be. */
static inline void *
sr_alloc(size_t size)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, size ? size : 1);
}

/* The same memory with another size, in the context where it was. */
static inline void *
sr_realloc(void *p, size_t size)
{
	return repalloc_huge(p, size);
}

extern void *sr_alloc_large(size_t size);
extern void *sr_realloc_large(void *p, size_t size);

#define sr_out_of_memory() \
	ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")))
#define sr_free(p) pfree(p)
#define sr_check_interrupts() CHECK_FOR_INTERRUPTS()

#endif							/* SR_STANDALONE */

/* The most bytes that one allocation may have. */
#define SR_MAX_ALLOC (SIZE_MAX / 2)

/* Memory for so many items; a size that cannot be is an error. */
static inline void *
sr_alloc_array(int64 count, size_t item_size)
{
	size_t		size;

	if (__builtin_mul_overflow((size_t) count, item_size, &size) || size > SR_MAX_ALLOC)
		sr_out_of_memory();
	return sr_alloc(size);
}

/* For a loop of cheap steps: looks at interrupts now and then. */
static inline void
sr_check_interrupts_at(int64 step)
{
	if (step % 65536 == 0)
		sr_check_interrupts();
}

/*
 * Functions that are compiled for several generations of processors, of which the
 * fitting one is called. They are static: the names of clones are exported otherwise.
 * Counting bits is one instruction on any processor of the last fifteen years.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define SR_VECTOR_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#define SR_COUNT_CLONES __attribute__((target_clones("popcnt", "default")))
#else
#define SR_VECTOR_CLONES
#define SR_COUNT_CLONES
#endif

/* Asks for memory that will be read soon; any address will do. */
#define sr_prefetch(p) __builtin_prefetch(p)

#endif							/* SR_PORT_H */
