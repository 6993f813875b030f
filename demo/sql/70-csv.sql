-- The tables as CSV, amounts in base units, and digests of what each epoch froze and paid. An epoch's own
-- digest also has the versions of the engine and of PostGIS in it; these are the same everywhere.
\set file :output '/digests'
COPY (SELECT encode(sha256(string_agg(s.digest, '' ORDER BY s.relation) || swarm_reward_internal.coverage_send(e.supply) || swarm_reward_internal.coverage_send(e.next_reference)), 'hex') || '  epoch from ' || lower(e.period)::date
	FROM epoch e JOIN swarm_reward_internal.epoch_seal s USING (epoch_id) WHERE s.relation <> 'epoch' GROUP BY e.epoch_id ORDER BY e.period) TO STDOUT \g :file
\set file :output '/pool.csv'
COPY (SELECT * FROM demo.pool ORDER BY epoch, component) TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/balance.csv'
COPY (SELECT * FROM demo.balance ORDER BY epoch) TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/provider.csv'
COPY (SELECT * FROM demo.provider ORDER BY amount DESC, provider COLLATE "C") TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/region.csv'
COPY (SELECT * FROM demo.region ORDER BY epoch, region) TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/gap.csv'
COPY (SELECT * FROM demo.gap ORDER BY gap) TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/node.csv'
COPY (SELECT * FROM demo.node ORDER BY epoch, node_id) TO STDOUT (FORMAT csv, HEADER) \g :file
\set file :output '/one_node.csv'
COPY (SELECT * FROM demo.node JOIN demo.one_node USING (node_id) ORDER BY epoch) TO STDOUT (FORMAT csv, HEADER) \g :file
