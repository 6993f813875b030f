/*
 * hint.c: what to do, for what the server itself refuses. A row of telemetry goes to its partition before any trigger
 * of a row is asked, and keys are looked at after all of them. So the hint is put to the error on its way to client
 * and log; who catches the error in a function, and a server that does not log errors, has none.
 */
#include "postgres.h"
#include "base/compat.h"

#include "commands/trigger.h"

#include "ledger/hint.h"

#define PARTITION_KEY "(sampled_at) = ("		/* in the server's detail, whatever its language */

static emit_log_hook_type next_hook;

/* For a row without a partition: the statement that makes it. */
static char *
hint_partition(const char *detail)
{
	const char *value = detail ? strstr(detail, PARTITION_KEY) : NULL;
	int			length;

	if (value == NULL)
		return pstrdup("swarm_reward.make_telemetry_partitions() makes the partition of a day, swarm_reward.keep_telemetry_partitions() those of the days to come.");
	value += strlen(PARTITION_KEY);
	length = (int) strcspn(value, ")");
	if (strstr(value, "infinity"))
		return pstrdup("Give a time that is not infinite.");
	return psprintf("SELECT swarm_reward.make_telemetry_partitions('%.*s', timestamptz '%.*s' + interval '1 microsecond') first. swarm_reward.keep_telemetry_partitions() makes those of the days to come.",
					length, value, length, value);
}

/* For a key that is not in its table, or that others refer to: which table; its constraint is called after the column. */
static char *
hint_key(const ErrorData *error, bool is_partition)
{
	static const char *const keys[][3] = {
		{"_provider_id_fkey", "provider", "A provider of whom there was a node stays."},
		{"_node_id_fkey", "node", "A node that something was measured of stays: let it leave by UPDATE swarm_reward.node SET left_at = now()."},
		{"_policy_id_fkey", "policy", "A policy that an epoch names stays; parts of another one are deleted first, from policy_resource, policy_service, policy_region and specialization."},
		{"_beacon_id_fkey", "beacon", "A beacon that has measured stays: end the time that it is trusted by UPDATE swarm_reward.beacon SET valid = tstzrange(lower(valid), now())."},
		{"_epoch_id_fkey", "epoch", "An epoch that was computed stays: swarm_reward.reopen_epoch() takes one that is not final back."},
		{"_resource_type_fkey", "resource_type", "A kind of resource that somebody had stays; without a row of policy_resource it is worth nothing."},
		{"_service_type_fkey", "service_type", "A kind of service that was done stays; without a row of policy_service it is worth nothing."},
		{"_region_fkey", "region", "A region that something was wanted in stays: retire it by UPDATE swarm_reward.region SET valid = tstzrange(lower(valid), now())."},
	};
	size_t		length = strlen(error->constraint_name);

	for (int i = 0; i < (int) lengthof(keys); i++)
	{
		size_t		end = strlen(keys[i][0]);

		if (length < end || strcmp(error->constraint_name + length - end, keys[i][0]) != 0)
			continue;
		/* the words of the server before translation: the other ones are for a key that goes */
		if (error->message_id == NULL || strncmp(error->message_id, "insert", strlen("insert")) != 0)
			return pstrdup(keys[i][2]);
		if (is_partition)
			return psprintf("Insert it into swarm_reward.%s first, or load with swarm_reward.ingest_telemetry(), which sets rows that are in error aside in telemetry_reject.", keys[i][1]);
		return psprintf("swarm_reward.%s has those that there are: insert it there first.", keys[i][1]);
	}
	return NULL;
}

/* The hint for an error, NULL if there is none. */
static char *
hint_for(const ErrorData *error)
{
	bool		is_ours = error->schema_name && strcmp(error->schema_name, "swarm_reward") == 0;
	bool		is_partition = error->schema_name && strcmp(error->schema_name, "swarm_reward_internal") == 0 &&
		error->table_name && strncmp(error->table_name, "telemetry_", strlen("telemetry_")) == 0;

	/* on a worker of Citus a number follows the name */
	if (error->sqlerrcode == ERRCODE_CHECK_VIOLATION && error->constraint_name == NULL &&
		error->schema_name && strcmp(error->schema_name, "swarm_reward") == 0 && error->table_name && strncmp(error->table_name, "telemetry", strlen("telemetry")) == 0)
		return hint_partition(error->detail);
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && is_partition)
		return pstrdup("INSERT ... ON CONFLICT DO NOTHING leaves out what is there already, as swarm_reward.ingest_telemetry() does.");
	if (error->sqlerrcode == ERRCODE_FOREIGN_KEY_VIOLATION && error->constraint_name && (is_partition || is_ours))
		return hint_key(error, is_partition);
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && is_ours)
		return pstrdup("A key is given once: UPDATE the row that has it, or let INSERT ... ON CONFLICT do so. Keys of which the ledger makes its own are best left out.");
	return NULL;
}

static void
give_hint(ErrorData *error)
{
	if (error->elevel == ERROR && error->hint == NULL)
		error->hint = hint_for(error);
	if (next_hook)
		next_hook(error);
}

/* Called once, when the library is loaded. */
void
sr_hint_init(void)
{
	next_hook = emit_log_hook;
	emit_log_hook = give_hint;
}

/* Trigger: before a statement that writes telemetry. Has nothing to do: that it is called loads the library, before the first row. */
SR_FUNCTION(sr_hint_telemetry);
Datum
sr_hint_telemetry(PG_FUNCTION_ARGS)
{
	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_STATEMENT(((TriggerData *) fcinfo->context)->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("hint_telemetry() is a trigger of a statement")));
	PG_RETURN_POINTER(NULL);
}
