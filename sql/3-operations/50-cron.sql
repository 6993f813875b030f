-- Jobs of pg_cron. Nothing here is needed by another scheduler: it can call what the jobs call.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION is_crontab(schedule text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT schedule ~* '^\s*(@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|([1-9]|[1-5][0-9]) seconds?)\s*$'
		OR (SELECT count(DISTINCT f.n) = 5 AND bool_and(CASE
				WHEN k.names IS NOT NULL AND i.item ~* format('^(%1$s)(-(%1$s))?$', k.names) THEN true
				WHEN f.n = 3 AND i.item = '$' THEN true
				ELSE coalesce(i.part IS NOT NULL AND coalesce(i.part[1]::int BETWEEN k.lowest AND k.highest, true)
					AND coalesce(i.part[2]::int BETWEEN i.part[1]::int AND k.highest, true) AND coalesce(i.part[3]::int BETWEEN 1 AND k.highest, true), false) END)
			FROM (SELECT t.field, t.n FROM regexp_split_to_table(btrim(schedule, E' \t\n'), '\s+') WITH ORDINALITY t (field, n)) f
				LEFT JOIN (VALUES (1, 0, 59, NULL), (2, 0, 23, NULL), (3, 1, 31, NULL), (4, 1, 12, 'jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec'),
					(5, 0, 7, 'sun|mon|tue|wed|thu|fri|sat')) k (n, lowest, highest, names) ON k.n = f.n,
				LATERAL (SELECT s.item, regexp_match(s.item, '^(?:\*|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$') AS part FROM regexp_split_to_table(f.field, ',') s (item)) i);
END;
COMMENT ON FUNCTION is_crontab(text) IS
'may it be a schedule as crontab(5) and pg_cron have them: minute, hour, day of the month ($: the last), month, day of the week; or @hourly and the like, or 1 to 59 seconds. NULL for NULL';

CREATE FUNCTION job_list(epochs text DEFAULT '*/5 * * * *', partitions_ahead interval DEFAULT '7 days',
	plan_length interval DEFAULT NULL, plan_budget numeric DEFAULT NULL, plan_ahead interval DEFAULT NULL,
	telemetry_retention interval DEFAULT NULL)
RETURNS TABLE (job_name text, schedule text, command text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
	IF epochs IS NULL OR partitions_ahead IS NULL OR partitions_ahead NOT BETWEEN interval '1 day' AND interval '366 days' THEN
		RAISE EXCEPTION 'cannot schedule epochs at % with telemetry partitions % ahead', coalesce(quote_literal(epochs), 'NULL'), coalesce(partitions_ahead::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a crontab schedule, for example ''*/5 * * * *'', and from a day to a year.';
	END IF;
	IF NOT is_crontab(epochs) THEN
		RAISE EXCEPTION 'invalid schedule: %', quote_literal(epochs)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give minute, hour, day of the month, month and day of the week, as in crontab, for example ''*/5 * * * *''.';
	END IF;
	IF plan_length IS NULL AND (plan_budget IS NOT NULL OR plan_ahead IS NOT NULL) THEN
		RAISE EXCEPTION 'cannot plan epochs with budget % for % ahead without a length', coalesce(plan_budget::text, 'NULL'), coalesce(plan_ahead::text, 'NULL')
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give plan_length too, or neither to plan epochs by hand.';
	END IF;
	IF plan_length < interval '1 second' OR plan_ahead < interval '0' THEN
		RAISE EXCEPTION 'cannot plan epochs of length % for % ahead', plan_length, coalesce(plan_ahead, 2 * plan_length)
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Give a length of at least a second, for example ''1 day'' or ''1 month''.';
	END IF;
	RETURN QUERY SELECT 'swarm_reward epochs', epochs, 'CALL swarm_reward.run_due_epochs()';
	RETURN QUERY SELECT 'swarm_reward hours', '7 * * * *', 'CALL swarm_reward.roll_telemetry()';
	RETURN QUERY SELECT 'swarm_reward partitions', '17 1,13 * * *', format('SELECT swarm_reward.keep_telemetry_partitions(%L, %L)', partitions_ahead, telemetry_retention);
	IF plan_length IS NOT NULL THEN
		RETURN QUERY SELECT 'swarm_reward plan', epochs, format('SELECT swarm_reward.plan_epochs(now() + %L::interval, %L, %L)',
			coalesce(plan_ahead, 2 * plan_length), plan_length, plan_budget);
	END IF;
END $$;
COMMENT ON FUNCTION job_list(text, interval, interval, numeric, interval, interval) IS
'the jobs of schedule_jobs, with the same arguments: name, schedule, command; for schedulers other than pg_cron. Times are those of the scheduler. Errors: epochs is no schedule of crontab, less than a day or more than a year ahead, a plan without a length';

CREATE FUNCTION check_cron(jobs text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
	home text;
BEGIN
	IF EXISTS (SELECT FROM pg_extension x WHERE x.extname = 'pg_cron') THEN
		IF NOT has_schema_privilege('cron', 'USAGE') THEN
			RAISE EXCEPTION 'permission denied to schedule jobs'
				USING ERRCODE = 'insufficient_privilege', HINT = format('A superuser can GRANT USAGE ON SCHEMA cron TO %I.', current_user);
		END IF;
		RETURN;
	END IF;
	BEGIN
		home := current_setting('cron.database_name', true);
	EXCEPTION WHEN insufficient_privilege THEN
		home := NULL;
	END;
	IF home IS NULL THEN
		RAISE EXCEPTION 'pg_cron is not available in this database'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'Put pg_cron into shared_preload_libraries, set cron.database_name, restart, and CREATE EXTENSION pg_cron; or let any other scheduler CALL swarm_reward.run_due_epochs().';
	ELSIF home = current_database() THEN
		RAISE EXCEPTION 'the extension pg_cron is not installed'
			USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'CREATE EXTENSION pg_cron.';
	END IF;
	RAISE EXCEPTION 'pg_cron runs from database %, not from this one', quote_ident(home)
		USING ERRCODE = 'object_not_in_prerequisite_state', DETAIL = 'Jobs for this database are scheduled there.',
			HINT = format('In database %I: %s', home, coalesce(jobs, format('SELECT cron.unschedule(jobid) FROM cron.job WHERE database = %L AND jobname LIKE ''swarm_reward %%'';', current_database())));
END $$;
COMMENT ON FUNCTION check_cron(text) IS 'error, with what to do, unless the current user can schedule jobs of pg_cron from this database';

CREATE FUNCTION swarm_reward.schedule_jobs(epochs text DEFAULT '*/5 * * * *', partitions_ahead interval DEFAULT '7 days',
	plan_length interval DEFAULT NULL, plan_budget numeric DEFAULT NULL, plan_ahead interval DEFAULT NULL,
	telemetry_retention interval DEFAULT NULL)
RETURNS TABLE (job_id bigint, job_name text, schedule text, command text)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	j record;
BEGIN
	PERFORM check_cron((SELECT string_agg(format('SELECT cron.schedule_in_database(%L, %L, %L, %L);', l.job_name || ' of ' || current_database(), l.schedule, l.command, current_database()), ' ')
		FROM job_list($1, $2, $3, $4, $5, $6) l));
	EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c WHERE c.database = current_database() AND c.username = current_user
		AND c.jobname LIKE ''swarm_reward %'' AND c.jobname <> ALL ($1)'
	USING (SELECT array_agg(l.job_name) FROM job_list($1, $2, $3, $4, $5, $6) l);
	FOR j IN SELECT l.* FROM job_list($1, $2, $3, $4, $5, $6) l LOOP
		job_name := j.job_name;
		schedule := j.schedule;
		command := j.command;
		EXECUTE 'SELECT cron.schedule($1, $2, $3)' INTO job_id USING j.job_name, j.schedule, j.command;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION swarm_reward.schedule_jobs(text, interval, interval, numeric, interval, interval) IS
'has pg_cron do, as the current user, what must be done for ever: CALL run_due_epochs() (epochs: when, as in crontab, in the time zone of pg_cron), roll up telemetry every hour, make telemetry partitions partitions_ahead of now and drop those past telemetry_retention (NULL: none; see keep_telemetry_partitions()) twice a day and, where plan_length is given, plan epochs with the budget plan_budget (base units; NULL: the emission of the policy) until plan_ahead from now (by default two lengths). Safe to repeat: the last call counts. Errors, each with what to do: pg_cron is not there, runs from another database, or is not for the current user; a schedule it does not understand';

CREATE FUNCTION swarm_reward.unschedule_jobs() RETURNS int
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	n int;
BEGIN
	PERFORM check_cron();
	EXECUTE 'SELECT count(cron.unschedule(c.jobid)) FROM cron.job c WHERE c.database = current_database() AND c.jobname LIKE ''swarm_reward %''' INTO n;
	RETURN n;
END $$;
COMMENT ON FUNCTION swarm_reward.unschedule_jobs() IS
'takes the jobs of schedule_jobs out of pg_cron: the current user''s, or everybody''s for a superuser; returns how many there were. Errors: as schedule_jobs, where pg_cron cannot be used';

REVOKE ALL ON FUNCTION swarm_reward.schedule_jobs(text, interval, interval, numeric, interval, interval), swarm_reward.unschedule_jobs() FROM PUBLIC;
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
