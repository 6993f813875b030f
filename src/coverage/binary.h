/*
 * binary.h: the type's binary form, piece by piece.
 */
#ifndef SR_BINARY_H
#define SR_BINARY_H

#include "coverage/builder.h"

/* Bytes of the head, a version, the order and the number of runs, and of each run. */
#define BINARY_HEAD 6
#define BINARY_RUN 12

typedef struct BinaryReader
{
	CoverageBuilder builder;
	uint32		nruns;			/* in all */
	int64		last;			/* where the run before starts; -1: none yet */
} BinaryReader;

extern void sr_binary_write_head(const Coverage *c, uint8 *to);
extern void sr_binary_write_runs(const uint32 *starts, const double *values, uint32 n, uint8 *to);

extern void sr_binary_read_head(BinaryReader *r, const uint8 *from);
extern void sr_binary_read_runs(BinaryReader *r, uint32 n, const uint8 *from);
extern Coverage *sr_binary_finish(BinaryReader *r);

#endif							/* SR_BINARY_H */
