-- Emission: the budget of an epoch that was given none.

CREATE FUNCTION next_emission(emission numeric, decay numeric) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT floor(emission * (1 - decay));
END;
COMMENT ON FUNCTION next_emission(numeric, numeric) IS 'what the next epoch gets after one that got emission base units: floor(emission * (1 - decay)); NULL for NULL';

CREATE FUNCTION emission(policy_id bigint, emission_no int) RETURNS numeric
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
DECLARE
	budget numeric;
	decay numeric;
BEGIN
	SELECT p.emission, p.emission_decay INTO budget, decay FROM policy p WHERE p.policy_id = $1;
	IF NOT FOUND THEN
		PERFORM unknown_id('policy', $1);
	END IF;
	IF $2 < 1 THEN
		RAISE EXCEPTION 'emission % does not exist', $2
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Emissions are counted from 1.';
	END IF;
	IF decay > 0 THEN
		FOR i IN 2 .. $2 LOOP
			EXIT WHEN budget = 0 OR budget IS NULL;
			budget := next_emission(budget, decay);
		END LOOP;
	END IF;
	RETURN budget;
END $$;
COMMENT ON FUNCTION emission(bigint, int) IS
'base units of the emission_no-th epoch that takes its budget from a policy: the first gets policy.emission, each next one next_emission() of the one before. Integers all the way: less than 1 / emission_decay below emission * (1 - emission_decay) ^ (emission_no - 1), never above. NULL for NULL and for a policy without emission; errors: unknown policy, emission_no below 1';

CREATE FUNCTION emission_schedule(policy_id bigint, emissions int) RETURNS TABLE (emission_no int, budget numeric, total numeric)
LANGUAGE plpgsql STABLE STRICT SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
	decay numeric;
BEGIN
	SELECT p.emission_decay INTO decay FROM policy p WHERE p.policy_id = $1;
	budget := emission($1, 1);
	total := 0;
	FOR i IN 1 .. CASE WHEN budget IS NULL THEN 0 ELSE $2 END LOOP
		emission_no := i;
		total := total + budget;
		RETURN NEXT;
		budget := next_emission(budget, decay);
	END LOOP;
END $$;
COMMENT ON FUNCTION emission_schedule(bigint, int) IS
'the first so many emissions of a policy with their running total, base units; no row for NULL or a policy without emission. Errors: unknown policy';

CREATE FUNCTION next_emission_no(policy_id bigint, epoch_id bigint, starts timestamptz) RETURNS int
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT count(*)::int + 1 FROM epoch e
	WHERE e.emission_no IS NOT NULL AND e.epoch_id <> next_emission_no.epoch_id AND lower(e.period) < next_emission_no.starts
		AND coalesce(e.policy_id, policy_in_effect(lower(e.period))) = next_emission_no.policy_id;
END;
COMMENT ON FUNCTION next_emission_no(bigint, bigint, timestamptz) IS
'which emission of a policy an epoch with this key and start would take: one more than the epochs before it take from the policy';

-- Until an epoch is opened the policies and the epochs before it may change;
-- opening sets the budget to NULL once more, and this counts for good.
CREATE FUNCTION epoch_emission() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	p policy;
BEGIN
	IF NEW.budget IS NOT NULL THEN
		IF TG_OP = 'UPDATE' AND NEW.budget <> OLD.budget AND NEW.emission_no = OLD.emission_no THEN
			NEW.emission_no := NULL;
		END IF;
		RETURN NEW;
	END IF;
	IF TG_OP = 'UPDATE' AND OLD.status <> 'planned' THEN
		RETURN NEW;	-- refused by what comes after
	END IF;
	SELECT * INTO p FROM policy WHERE policy.policy_id = coalesce(NEW.policy_id, policy_in_effect(lower(NEW.period)));
	IF p.emission IS NULL THEN
		RAISE EXCEPTION 'epoch for % has no budget', NEW.period
			USING ERRCODE = 'not_null_violation', DETAIL = CASE WHEN p.policy_id IS NULL THEN 'No policy is in effect at its start.'
				ELSE format('Policy %s (%s) has no emission.', p.policy_id, p.name) END,
				HINT = 'Give it a budget, or have a policy with an emission take effect by its start.';
	END IF;
	NEW.emission_no := next_emission_no(p.policy_id, NEW.epoch_id, lower(NEW.period));
	NEW.budget := emission(p.policy_id, NEW.emission_no);
	RETURN NEW;
END $$;
COMMENT ON FUNCTION epoch_emission() IS
'trigger: an epoch without a budget gets the next emission of its policy, the one it names or the one in effect at its start; giving it a budget takes it out of the count';
CREATE TRIGGER epoch_emission BEFORE INSERT OR UPDATE ON epoch FOR EACH ROW EXECUTE FUNCTION epoch_emission();
