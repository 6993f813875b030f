-- Times that may not overlap, in words: exclusion constraints see to it, also against other sessions, but they
-- speak of their index.
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.internal_path'), true);

CREATE FUNCTION refuse_overlap() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	other record;
	mine tstzrange;
	what text;
	whose text;
	fix text;
BEGIN
	-- a row with the same key is left to the primary key, and to ON CONFLICT
	CASE TG_TABLE_NAME
		WHEN 'node_resource' THEN
			mine := NEW.valid;
			SELECT r.valid INTO other FROM node_resource r
			WHERE r.node_id = NEW.node_id AND r.resource_type = NEW.resource_type
				AND r.valid && mine AND r.valid <> mine AND (TG_OP = 'INSERT' OR (r.node_id, r.resource_type, r.valid) IS DISTINCT FROM (OLD.node_id, OLD.resource_type, OLD.valid)) LIMIT 1;
			whose := 'node and kind of resource';
			what := format('node %s declares %s in %s already', NEW.node_id, NEW.resource_type, other.valid);
			fix := format('SELECT swarm_reward.set_node_resource(%s, %L, %s, %L);', NEW.node_id, NEW.resource_type, NEW.units, coalesce(lower(mine), now()));
		WHEN 'node_suspension' THEN
			mine := NEW.valid;
			SELECT s.valid INTO other FROM node_suspension s
			WHERE s.node_id = NEW.node_id
				AND s.valid && mine AND s.valid <> mine AND (TG_OP = 'INSERT' OR (s.node_id, s.valid) IS DISTINCT FROM (OLD.node_id, OLD.valid)) LIMIT 1;
			whose := 'node';
			what := format('node %s is suspended in %s already', NEW.node_id, other.valid);
			fix := format('UPDATE swarm_reward.node_suspension SET valid = %L WHERE node_id = %s AND valid = %L;', range_merge(other.valid, mine), NEW.node_id, other.valid);
		WHEN 'resource_demand' THEN
			mine := NEW.valid;
			SELECT d.valid INTO other FROM resource_demand d
			WHERE d.region = NEW.region AND d.resource_type = NEW.resource_type
				AND d.valid && mine AND d.valid <> mine AND (TG_OP = 'INSERT' OR (d.region, d.resource_type, d.valid) IS DISTINCT FROM (OLD.region, OLD.resource_type, OLD.valid)) LIMIT 1;
			whose := 'region and kind of resource';
			what := format('%s wants %s in %s already', NEW.region, NEW.resource_type, other.valid);
			fix := format('UPDATE swarm_reward.resource_demand SET valid = tstzrange(lower(valid), %L) WHERE region = %L AND resource_type = %L AND valid = %L;',
				CASE WHEN lower(mine) > lower(other.valid) OR lower(other.valid) IS NULL THEN lower(mine) END, NEW.region, NEW.resource_type, other.valid);
		WHEN 'node' THEN
			mine := tstzrange(NEW.joined_at, NEW.left_at);
			SELECT n.node_id, tstzrange(n.joined_at, n.left_at) AS valid INTO other FROM node n
			WHERE n.hardware_id = NEW.hardware_id
				AND tstzrange(n.joined_at, n.left_at) && mine AND n.node_id <> NEW.node_id AND (n.external_id = NEW.external_id) IS NOT TRUE LIMIT 1;
			whose := 'hardware';
			what := format('hardware %s is in node %s in %s already', NEW.hardware_id, other.node_id, other.valid);
			fix := format('UPDATE swarm_reward.node SET left_at = %L WHERE node_id = %s;', NEW.joined_at, other.node_id);
		WHEN 'epoch' THEN
			mine := NEW.period;
			SELECT e.epoch_id, e.period AS valid INTO other FROM epoch e WHERE e.period && mine AND e.epoch_id > 0 AND e.epoch_id <> NEW.epoch_id LIMIT 1;
			whose := 'network';
			what := format('epoch %s is there for %s already', other.epoch_id, other.valid);
			fix := format('SELECT swarm_reward.plan_epochs(%L, %L);', upper(mine), upper(mine) - lower(mine));
	END CASE;
	IF other.valid IS NOT NULL THEN
		RAISE EXCEPTION '%', what USING ERRCODE = 'exclusion_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
			DETAIL = format('The new row is for %s; times of one %s do not overlap.', mine, whose), HINT = fix;
	END IF;
	RETURN NEW;
END $$;
COMMENT ON FUNCTION refuse_overlap() IS 'trigger: refuses a row whose time overlaps another''s, and says whose and what to do';
CREATE TRIGGER refuse_overlap BEFORE INSERT OR UPDATE OF node_id, resource_type, valid ON node_resource FOR EACH ROW EXECUTE FUNCTION refuse_overlap();
CREATE TRIGGER refuse_overlap BEFORE INSERT OR UPDATE OF node_id, valid ON node_suspension FOR EACH ROW EXECUTE FUNCTION refuse_overlap();
CREATE TRIGGER refuse_overlap BEFORE INSERT OR UPDATE OF region, resource_type, valid ON resource_demand FOR EACH ROW EXECUTE FUNCTION refuse_overlap();
CREATE TRIGGER refuse_overlap BEFORE INSERT OR UPDATE OF hardware_id, joined_at, left_at ON node FOR EACH ROW WHEN (NEW.hardware_id IS NOT NULL) EXECUTE FUNCTION refuse_overlap();
SELECT pg_catalog.set_config('search_path', pg_catalog.current_setting('swarm_reward.script_path'), true);
