/*
 * outline.h: outlines of shapes that are made of intervals on rows. Pure C.
 */
#ifndef SR_OUTLINE_H
#define SR_OUTLINE_H

#include "base/port.h"

/* Part of a row; row r lies between the heights r and r + 1. */
typedef struct RowSpan
{
	int32		row;
	double		from;
	double		to;
} RowSpan;

/* Who is told about outlines, point by point. */
typedef struct OutlineSink
{
	/* a point; height is in half rows */
	void		(*point) (void *arg, double x, int64 half_rows);
	/* the outline is closed */
	void		(*close) (void *arg);
	void	   *arg;
} OutlineSink;

extern void sr_outline_trace(const RowSpan *spans, int64 nspans, const OutlineSink *sink);

#endif							/* SR_OUTLINE_H */
