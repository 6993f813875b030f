/*
 * map.h: what the files tell each other that draw a field.
 *
 * frame.c   where a place lies in the picture: the projection, and the part of the Earth
 * bricks.c  fields and regions as cells of the display grid
 * path.c    their outlines as path data of SVG
 * classes.c the classes of values that are told apart
 * svg.c     all of it for SQL, which makes the document
 */
#ifndef SR_MAP_H
#define SR_MAP_H

#include "coverage/coverage.h"

#include "lib/stringinfo.h"

#include "base/array.h"
#include "grid/outline.h"

/* Positions in the picture are whole tenths of a unit of its view box. */
#define SR_FRAME_LEFT 100
#define SR_FRAME_WIDTH 11800

/* The part of the Earth that is shown, and where. */
typedef struct MapFrame
{
	bool		whole;			/* all of the Earth, not a part in a rectangle */
	double		meridian;		/* the central one, in turns */
	double		scale;			/* tenths per radian */
	double		stretch;		/* of x, and 1 / stretch of y: keeps areas */
	double		center_y;		/* y of the projection in the middle of the frame */
	int			top;
	int			height;
} MapFrame;

/*
 * Everything that has an area is made of cells of the display grid, coarse enough to be seen. Its row r holds
 * the centres of ring r + 1, between parallels such that it has the ring's area; a cell is a brick, a piece
 * of its row of the cell's area.
 */
typedef struct Brick			/* several of one value side by side */
{
	RowSpan		span;			/* in turns from the map's left edge */
	double		value;
} Brick;

/* Bricks less than this apart touch. */
#define SR_TOUCHING 1e-10

typedef struct Bricks
{
	const MapFrame *frame;
	const HpxGrid *grid;
	SR_ARRAY(Brick) list;
	int32		row;			/* the one that was added to last, */
	double		west;			/* and what the frame shows of it */
	double		east;
} Bricks;

#define SR_MAX_CLASSES 7

/* Classes of one sign, by magnitude: class i begins at bound[i], the first at the least value. */
typedef struct Classes
{
	int			n;
	double		bound[SR_MAX_CLASSES];
} Classes;

extern void sr_frame_world(MapFrame *frame, int top);
extern bool sr_frame_fit(MapFrame *frame, const Bricks *b, int order);
extern void sr_frame_position(const MapFrame *frame, double across, double z, int *x, int *y);
extern double sr_frame_across(const MapFrame *frame, double turn);
extern int	sr_frame_order(const MapFrame *frame, double least);
extern double sr_row_parallel(const HpxGrid *grid, int64 half_rows);

extern Bricks sr_bricks(const MapFrame *frame, int order);
extern void sr_bricks_add_cells(Bricks *b, int64 first, int64 last, double value);
extern void sr_bricks_add_field(Bricks *b, const Coverage *c);

extern int64 sr_path_outline(Bricks *b, int sign, double at_least, StringInfo out);

extern void sr_classes_choose(Bricks *b, int sign, Classes *classes);

#endif							/* SR_MAP_H */
