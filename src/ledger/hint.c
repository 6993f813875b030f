/*
 * hint.c: what to do, for what the server itself refuses of telemetry. A row goes to its partition before any trigger
 * of a row is asked, and its keys are looked at after all of them. So the hint is put to the error on its way to client
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

/* The hint for an error, NULL if it is not about a row of telemetry. */
static char *
hint_for(const ErrorData *error)
{
	bool		is_partition = error->schema_name && strcmp(error->schema_name, "swarm_reward_internal") == 0 &&
		error->table_name && strncmp(error->table_name, "telemetry_", strlen("telemetry_")) == 0;

	/* on a worker of Citus a number follows the name */
	if (error->sqlerrcode == ERRCODE_CHECK_VIOLATION && error->constraint_name == NULL &&
		error->schema_name && strcmp(error->schema_name, "swarm_reward") == 0 && error->table_name && strncmp(error->table_name, "telemetry", strlen("telemetry")) == 0)
		return hint_partition(error->detail);
	if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && is_partition)
		return pstrdup("INSERT ... ON CONFLICT DO NOTHING leaves out what is there already, as swarm_reward.ingest_telemetry() does.");
	/* the server's other words are for a node or a service that goes, while there is telemetry of it; they are those before translation */
	if (error->sqlerrcode == ERRCODE_FOREIGN_KEY_VIOLATION && is_partition && error->message_id && strncmp(error->message_id, "insert", strlen("insert")) == 0)
		return psprintf("Insert it into swarm_reward.%s first, or load with swarm_reward.ingest_telemetry(), which sets rows that are in error aside in telemetry_reject.",
						error->constraint_name && strstr(error->constraint_name, "service_type") ? "service_type" : "node");
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
