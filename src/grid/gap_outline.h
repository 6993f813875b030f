/*
 * sr_gap_outline.h: outlines of gaps along the sides of their cells. Pure C.
 */
#ifndef SR_GAP_OUTLINE_H
#define SR_GAP_OUTLINE_H

#include "grid/gaps.h"

/* A position in degrees. */
typedef struct LonLat
{
	double		lon;
	double		lat;
} LonLat;

/* A closed ring of an outline. */
typedef struct OutlineRing
{
	int64		start;			/* first point */
	int64		npoints;
	bool		shell;			/* a polygon begins */
} OutlineRing;

/* Polygons with their rings; a polygon's first ring is its shell. */
typedef struct GapOutline
{
	SR_ARRAY(LonLat) points;
	SR_ARRAY(OutlineRing) rings;
	int64		npolygons;
} GapOutline;

extern void sr_gap_outline(const HpxGrid *grid, const GapSet *set, const Gap *gap, GapOutline *out);

#endif							/* SR_GAP_OUTLINE_H */
