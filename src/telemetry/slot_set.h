/*
 * slot_set.h: a set of slots that grows, of which a summary is written.
 */
#ifndef SR_SLOT_SET_H
#define SR_SLOT_SET_H

#include "telemetry/telemetry.h"

#define CHUNK_WORDS 8			/* 512 slots: one cache line */
#define CHUNK_BITS 9
#define NO_CHUNK PG_INT64_MIN	/* the number of no chunk */

typedef struct SlotChunk
{
	uint64		words[CHUNK_WORDS];
} SlotChunk;

/*
 * As long as the slots are close to each other, numbers is NULL and chunks are all from
 * first_number on; then they are found by open addressing. Either way capacity is the
 * length.
 */
typedef struct SlotSet
{
	MemoryContext context;		/* of chunks and numbers */
	int64		slot_us;
	SlotChunk  *chunks;
	int64	   *numbers;		/* NO_CHUNK where there is none */
	int64		first_number;
	int64		last_number;	/* the chunk last met */
	SlotChunk  *last_chunk;
	uint32		capacity;
	uint32		used;			/* of the hash table */
} SlotSet;

extern void sr_slot_set_init(SlotSet *set, MemoryContext context, int64 slot_us);
extern SlotChunk *sr_slot_set_find(SlotSet *set, int64 number);
extern void sr_slot_set_add_segment(SlotSet *set, SlotReader *segment);
extern void sr_slot_set_add_all(SlotSet *set, const SlotSet *more);
extern void sr_slot_set_write(const SlotSet *set, BitWriter *out);
extern bool sr_slot_set_is_sound(const SlotSet *set);

/* The chunk with a number, made if need be. */
static inline SlotChunk *
sr_slot_set_chunk(SlotSet *set, int64 number)
{
	if (likely(set->numbers == NULL))
	{
		if (likely((uint64) (number - set->first_number) < set->capacity))
			return &set->chunks[number - set->first_number];
	}
	else if (set->last_number == number)
		return set->last_chunk;
	return sr_slot_set_find(set, number);
}

/* Adds a slot. */
static inline void
sr_slot_set_add(SlotSet *set, int64 slot)
{
	SlotChunk  *chunk = sr_slot_set_chunk(set, slot >> CHUNK_BITS);

	chunk->words[(slot >> 6) & (CHUNK_WORDS - 1)] |= UINT64CONST(1) << (slot & 63);
}

#endif							/* SR_SLOT_SET_H */
