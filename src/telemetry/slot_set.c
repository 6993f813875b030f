/*
 * slot_set.c: a set of slots that grows, of which a summary is written.
 */
#include "postgres.h"
#include "base/compat.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "telemetry/slot_set.h"

#define WINDOW_CHUNKS 8			/* 4096 slots: beyond, chunks are found by hash */

/* Refuses more slots than memory can hold. */
static void
check_chunks(uint64 chunks, int64 slot_us)
{
	if (chunks > MaxAllocSize / sizeof(SlotChunk))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("telemetry spans too many slots of %s", sr_slot_text(slot_us)),
				 errhint("Use a longer slot, or summarise shorter periods.")));
}

/* An empty set. */
void
sr_slot_set_init(SlotSet *set, MemoryContext context, int64 slot_us)
{
	memset(set, 0, sizeof(SlotSet));
	set->context = context;
	set->slot_us = slot_us;
	set->last_number = NO_CHUNK;
}

/* What every set satisfies. */
bool
sr_slot_set_is_sound(const SlotSet *set)
{
	if (set->numbers == NULL)
		return set->capacity <= WINDOW_CHUNKS;
	return (set->capacity & (set->capacity - 1)) == 0 && set->used < set->capacity;
}

/* Where a chunk is, or would be, in the hash table. */
static inline uint32
chunk_position(const SlotSet *set, int64 number)
{
	uint32		mask = set->capacity - 1;
	uint32		position = (uint32) ((uint64) number * UINT64CONST(0x9E3779B97F4A7C15) >> 32) & mask;

	while (set->numbers[position] != number && set->numbers[position] != NO_CHUNK)
		position = (position + 1) & mask;
	return position;
}

/* The number of the chunk at an index, or NO_CHUNK. */
static inline int64
chunk_number(const SlotSet *set, uint32 index)
{
	return set->numbers ? set->numbers[index] : set->first_number + index;
}

/* Widens the window so that it begins with chunk first and has so many. */
static void
grow_window(SlotSet *set, int64 first, uint32 capacity)
{
	SlotChunk  *chunks = set->chunks;

	set->chunks = MemoryContextAllocZero(set->context, capacity * sizeof(SlotChunk));
	if (chunks)
	{
		memcpy(set->chunks + (set->first_number - first), chunks, set->capacity * sizeof(SlotChunk));
		pfree(chunks);
	}
	set->first_number = first;
	set->capacity = capacity;
}

/* Makes the window a hash table, or doubles it. */
static void
grow_table(SlotSet *set)
{
	SlotSet		old = *set;

	set->capacity = old.numbers ? old.capacity * 2 : WINDOW_CHUNKS * 2;
	check_chunks(set->capacity, set->slot_us);
	set->numbers = MemoryContextAlloc(set->context, set->capacity * sizeof(int64));
	set->chunks = MemoryContextAllocZero(set->context, set->capacity * sizeof(SlotChunk));
	for (uint32 i = 0; i < set->capacity; i++)
		set->numbers[i] = NO_CHUNK;

	set->used = 0;
	for (uint32 i = 0; i < old.capacity; i++)
	{
		int64		number = chunk_number(&old, i);
		uint32		position;

		sr_check_interrupts_at(i);
		if (number == NO_CHUNK)
			continue;
		position = chunk_position(set, number);
		set->numbers[position] = number;
		set->chunks[position] = old.chunks[i];
		set->used++;
	}
	if (old.numbers)
		pfree(old.numbers);
	pfree(old.chunks);
}

/* The chunk with a number, made if need be, where it is not the one that is found at once. */
SlotChunk *
sr_slot_set_find(SlotSet *set, int64 number)
{
	uint32		position;

	if (set->numbers == NULL)
	{
		int64		first = set->capacity == 0 ? number : Min(number, set->first_number);
		int64		end = set->capacity == 0 ? number + 1 : Max(number + 1, set->first_number + set->capacity);

		if (end - first <= WINDOW_CHUNKS)
		{
			grow_window(set, first, (uint32) (end - first));
			return &set->chunks[number - first];
		}
		grow_table(set);
	}

	/* at most three quarters full */
	if (set->used >= set->capacity / 4 * 3 && set->numbers[chunk_position(set, number)] != number)
		grow_table(set);
	position = chunk_position(set, number);
	if (set->numbers[position] != number)
	{
		set->numbers[position] = number;
		set->used++;
	}
	set->last_number = number;
	set->last_chunk = &set->chunks[position];
	return set->last_chunk;
}

/* Adds a segment of slots, whose literal words are read. */
void
sr_slot_set_add_segment(SlotSet *set, SlotReader *segment)
{
	int64		word = segment->word;

	/* stop before filling memory */
	check_chunks(segment->full / CHUNK_WORDS, set->slot_us);
	for (uint64 i = 0; i < segment->full + segment->literals; i++, word++)
	{
		SlotChunk  *chunk = sr_slot_set_chunk(set, word >> (CHUNK_BITS - 6));

		chunk->words[word & (CHUNK_WORDS - 1)] |= i < segment->full ? FULL_WORD : sr_bits_get(&segment->bits, 64);
		if (i % 65536 == 65535)
			CHECK_FOR_INTERRUPTS();
	}
}

/* Adds the slots of another set. */
void
sr_slot_set_add_all(SlotSet *set, const SlotSet *more)
{
	for (uint32 i = 0; i < more->capacity; i++)
	{
		int64		number = chunk_number(more, i);
		SlotChunk  *chunk;

		sr_check_interrupts_at(i);
		if (number == NO_CHUNK)
			continue;
		chunk = sr_slot_set_chunk(set, number);
		for (int j = 0; j < CHUNK_WORDS; j++)
			chunk->words[j] |= more->chunks[i].words[j];
	}
}

/* A chunk in the order of its number. */
typedef struct NumberedChunk
{
	int64		number;
	const SlotChunk *chunk;
} NumberedChunk;

/* For qsort: in the order of time. No two have the same number. */
static int
compare_chunks(const void *a, const void *b)
{
	int64		x = ((const NumberedChunk *) a)->number;
	int64		y = ((const NumberedChunk *) b)->number;

	sr_check_interrupts();
	return (x > y) - (x < y);
}

/* Writes the slots in order. */
void
sr_slot_set_write(const SlotSet *set, BitWriter *out)
{
	SlotWriter	writer = {0};
	NumberedChunk *sorted = sr_alloc_array(set->capacity, sizeof(NumberedChunk));
	uint32		count = 0;

	for (uint32 i = 0; i < set->capacity; i++)
	{
		int64		number = chunk_number(set, i);

		sr_check_interrupts_at(i);
		if (number == NO_CHUNK)
			continue;
		sorted[count].number = number;
		sorted[count].chunk = &set->chunks[i];
		count++;
	}
	if (set->numbers)
		qsort(sorted, count, sizeof(NumberedChunk), compare_chunks);
	for (uint32 i = 0; i < count; i++)
	{
		sr_check_interrupts_at(i);
		for (int j = 0; j < CHUNK_WORDS; j++)
			sr_slots_add(&writer, sorted[i].number * CHUNK_WORDS + j, sorted[i].chunk->words[j]);
	}
	sr_slots_write(&writer, out);
	pfree(sorted);
}
