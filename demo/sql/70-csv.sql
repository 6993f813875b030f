-- The digests of the epochs, and the tables as CSV, amounts in base units.
\set file :output '/digests'
COPY (SELECT encode(digest, 'hex') || '  epoch from ' || lower(period)::date FROM epoch ORDER BY period) TO STDOUT \g :file
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
