-- Payouts: hashes and trees against published and independent values, and money
-- that is paid once, or carried.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
\ir ledger_network.psql
SELECT no_plan();

-- ---- Keccak-256: known answers of the original Keccak, around the block of 136 bytes ----
SELECT is(encode(keccak256(convert_to(repeat(m, n), 'UTF8')), 'hex'), h, format('keccak256 of %s times %L', n, m))
FROM (VALUES
	('', 1, 'c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470'),
	('abc', 1, '4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45'),
	('Transfer(address,address,uint256)', 1, 'ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef'),
	('x', 135, '16570bdb055e663ea1cb57ac6f09194f4bc7b7070847971fc0b86710366dc34f'), ('x', 136, '50da8ef3747b7a7f01d08563aa11c72a2a668563fb928adc6e8d2a1ab4e36096'), ('x', 137, '01e0852c139fa337a5d3f746ab3b2d3400442195225e2f10c34702f8f37ae8d3'), ('x', 272, '96bc2208643ac0c338f0aee0c5fce6b05e3deab879d939a413e8094ab5895377'), ('x', 1000000, 'af806494208ffb490f1c706790a69eef03c8692182b1b5fb193ad569a6c7399d')) v (m, n, h);
SELECT is(keccak256(NULL), NULL, 'NULL');

-- ---- addresses: the examples of EIP-55 ----
SELECT unnest(ARRAY[is(checksum_address(a), a, 'as given'), is(checksum_address(lower(a)), a, 'from small letters'), is(checksum_address('0x' || upper(substr(a, 3))), a, 'from capitals'), ok(is_payout_address(a), 'an address')])
FROM unnest(ARRAY['0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359', '0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB',
	'0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb', '0x52908400098527886E0F7030069857D2E4169EE7', '0xde709f2102306220921060314715629080e2fb77']) a;
SELECT unnest(ARRAY[throws_ok(format('SELECT checksum_address(%L)', a), '22P02', NULL, format('no address: %s', left(a, 60))), ok(NOT is_payout_address(a), 'nor to be paid')])
FROM unnest(ARRAY['', '0x', 'x', '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe', '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd', '0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
	'0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg', '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed', ' 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe', repeat(U&'\00e4', 5000)]) a;
SELECT ok(NOT is_payout_address('0x' || repeat('0', 40)), 'nobody has the zero address');
SELECT throws_ok($$ INSERT INTO provider (name, payout_address) VALUES ('z', '0x' || repeat('0', 40)) $$, '23514', NULL, 'so no provider is paid there');

-- ---- leaves ----
SELECT is(merkle_leaf('0x1111111111111111111111111111111111111111', n), keccak256(keccak256(decode(repeat('0', 24) || repeat('1', 40) || lpad(h, 64, '0'), 'hex'))), 'amount ' || n)
FROM (VALUES (0, ''), (1.000, '1'), (255, 'ff'), (256, '100'), (18446744073709551616, '10000000000000000'), (2::numeric ^ 256 - 1, repeat('f', 64)),
	(99999999999999999999999999999999999999, '4b3b4ca85a86c47a098a223fffffffff')) v (n, h);
SELECT throws_ok(format($$ SELECT merkle_leaf('0x1111111111111111111111111111111111111111', %L) $$, n), '22003', NULL, 'not an amount: ' || left(n, 20))
FROM unnest(ARRAY['-1', '1.5', 'NaN', 'Infinity', '-Infinity', (2::numeric ^ 256)::text, '1e1000']) n;

-- ---- trees: the published example of StandardMerkleTree ----
SELECT is(encode(merkle_root(ARRAY[merkle_leaf('0x1111111111111111111111111111111111111111', 5000000000000000000), merkle_leaf('0x2222222222222222222222222222222222222222', 2500000000000000000)]), 'hex'),
	'd4dee0beab2d53f2cc83e567171bd2820e49898130a22622b10ead383e90bd77', 'the root of the example');
SELECT is(merkle_proof(ARRAY[merkle_leaf('0x1111111111111111111111111111111111111111', 5000000000000000000), merkle_leaf('0x2222222222222222222222222222222222222222', 2500000000000000000)],
	merkle_leaf('0x1111111111111111111111111111111111111111', 5000000000000000000)), ARRAY['\xb92c48e9d7abe27fd8dfd6b5dfdbfb1c9a463f80c712b66f3a5180a090cccafc'::bytea], 'and the proof');

-- the layout again, in SQL: a node is made of the two below it
CREATE FUNCTION pg_temp.node(leaves bytea[], i int) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	n int := array_length(leaves, 1);
	a bytea;
	b bytea;
BEGIN
	IF i >= n - 1 THEN
		RETURN (SELECT l FROM unnest(leaves) l ORDER BY l OFFSET 2 * n - 2 - i LIMIT 1);
	END IF;
	a := pg_temp.node(leaves, 2 * i + 1);
	b := pg_temp.node(leaves, 2 * i + 2);
	RETURN keccak256(least(a, b) || greatest(a, b));
END $$;
CREATE FUNCTION pg_temp.climb(leaf bytea, proof bytea[]) RETURNS bytea LANGUAGE plpgsql AS $$
DECLARE
	p bytea;
BEGIN
	FOREACH p IN ARRAY proof LOOP leaf := keccak256(least(leaf, p) || greatest(leaf, p)); END LOOP;
	RETURN leaf;
END $$;
CREATE TABLE pg_temp.forest AS SELECT n, array_agg(sha256(convert_to(n || ' ' || i % 37, 'UTF8')) ORDER BY md5(i::text)) AS leaves
	FROM generate_series(1, 40) n, generate_series(1, n) i GROUP BY n;
SELECT is_empty($$ SELECT n, i FROM forest, LATERAL (SELECT merkle_tree(leaves) AS tree) t, generate_series(0, 2 * n - 2) i
	WHERE tree[i + 1] <> pg_temp.node(leaves, i) OR array_length(tree, 1) <> 2 * n - 1 $$, 'trees of 1 to 40 leaves, equal ones among them');
SELECT is_empty($$ SELECT n, l FROM forest, unnest(leaves) l, LATERAL (SELECT merkle_root(leaves) AS root, merkle_proof(leaves, l) AS proof) p
	WHERE pg_temp.climb(l, proof) <> root OR NOT merkle_verify(root, l, proof) OR root <> (merkle_tree(leaves))[1] $$, 'every proof leads to the root');
SELECT is_empty($$ SELECT n FROM forest, LATERAL (SELECT merkle_root(leaves) AS root, merkle_proof(leaves, leaves[1]) AS proof) p
	WHERE merkle_verify(root, sha256('x'), proof) OR merkle_verify(sha256(root), leaves[1], proof) OR merkle_verify(root, leaves[1], proof || root)
		OR (n > 1 AND merkle_verify(root, leaves[1], proof[2:])) $$, 'and nothing else does');
SELECT is_empty($$ SELECT n FROM forest WHERE merkle_root(leaves) <> merkle_root((SELECT array_agg(l ORDER BY md5(l)) FROM unnest(leaves) l)) $$, 'whatever the order of the leaves');
SELECT throws_ok(q, s, NULL, q) FROM (VALUES
	($$ SELECT merkle_root('{}') $$, '22023'), ($$ SELECT merkle_tree('{}') $$, '22023'), ($$ SELECT merkle_root(ARRAY[NULL::bytea]) $$, '22004'),
	($$ SELECT merkle_root(ARRAY['\x00'::bytea]) $$, '22023'), ($$ SELECT merkle_proof(ARRAY[sha256('a')], sha256('b')) $$, '22023'),
	($$ SELECT merkle_proof(ARRAY[sha256('a')], '') $$, '22023'), ($$ SELECT merkle_tree(ARRAY[[sha256('a')], [sha256('b')]]) $$, '2202E'),
	($$ SELECT merkle_verify('', sha256('a'), '{}') $$, '22023'), ($$ SELECT merkle_verify(sha256('a'), sha256('a'), ARRAY[NULL::bytea]) $$, '22004')) v (q, s);

-- ---- money ----
\o /dev/null
INSERT INTO pg_temp.case_option VALUES ('baseline', 'no');
SELECT pg_temp.build(6, 25);
\o
CALL run_epoch(1001);
CALL run_epoch(1002);
CALL run_epoch(1003);
SELECT is(make_payout(), NULL, 'nothing is final, nothing is paid');
SELECT throws_ok('SELECT make_payout(1002)', '55000', NULL, 'least of all what is asked for');
SELECT throws_ok('SELECT make_payout(4711)', 'P0002', NULL, 'no such epoch');
SELECT throws_ok(format('SELECT make_payout(at_least => %L)', n), '22023', NULL, 'at least ' || coalesce(n, 'NULL')) FROM unnest(ARRAY[NULL, '0', '-5', 'NaN', 'Infinity']) n;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1001;
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1002;
SELECT is(make_payout(), NULL, 'nobody has an address');
-- 1001 and 1002 share an address, written in two ways; 1005 has none
UPDATE provider SET payout_address = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed' WHERE provider_id = 1001;
UPDATE provider SET payout_address = lower('0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed') WHERE provider_id = 1002;
UPDATE provider SET payout_address = '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359' WHERE provider_id = 1003;
UPDATE provider SET payout_address = '0xde709f2102306220921060314715629080e2fb77' WHERE provider_id = 1004;
SELECT is(make_payout(at_least => 1e37), NULL, 'a least payment above every balance');
SELECT make_payout(note => 'the first') AS a \gset
SELECT results_eq(format('SELECT address, amount FROM payout_leaf WHERE payout_id = %s ORDER BY 1', :a),
	$$ SELECT checksum_address(p.payout_address) COLLATE "C", sum(r.amount) FROM reward r JOIN provider p USING (provider_id)
		WHERE epoch_id IN (1001, 1002) AND provider_id <> 1005 GROUP BY 1 ORDER BY 1 $$, 'what was earned is paid, once for each address');
SELECT is(count(*), 3::bigint, 'three payments to four providers') FROM payout_leaf WHERE payout_id = :a;
SELECT is_empty(format('SELECT * FROM verify_payout(%s) WHERE NOT ok', :a), 'the batch verifies');
SELECT is(make_payout(), NULL, 'the same money is not paid again');
SELECT throws_ok(format('SELECT %s(%s)', f, :a), '55000', NULL, 'a draft has no ' || f) FROM unnest(ARRAY['payout_csv', 'payout_tree', 'payout_proof']) f;
SELECT throws_ok(format($$ INSERT INTO payout_line SELECT %s, epoch_id, provider_id, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', total FROM final_statement WHERE provider_id = 1005 $$, :a), '23001', NULL, 'no line is added to it');
SELECT throws_ok(format($$ WITH p AS (INSERT INTO payout (payout_id, up_to_epoch_id, line_count, leaf_count, total, root) VALUES (99, 1002, 1, 1, 5, sha256('')) RETURNING payout_id),
	l AS (INSERT INTO payout_leaf SELECT payout_id, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', 5, merkle_leaf('0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', 5) FROM p)
	INSERT INTO payout_line SELECT 99, s.epoch_id, s.provider_id, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', s.total FROM final_statement s WHERE s.provider_id = 1003 AND s.epoch_id = 1002 $$),
	'23505', NULL, 'and the database itself refuses a statement in two batches');
SELECT throws_ok($$ WITH p AS (INSERT INTO payout (payout_id, up_to_epoch_id, line_count, leaf_count, total, root) VALUES (99, 1002, 1, 1, 5, sha256('')) RETURNING payout_id),
	l AS (INSERT INTO payout_leaf SELECT payout_id, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', 5, merkle_leaf('0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', 5) FROM p)
	INSERT INTO payout_line SELECT 99, s.epoch_id, s.provider_id, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', s.total + 1 FROM final_statement s WHERE s.provider_id = 1005 AND s.epoch_id = 1002 $$,
	'23503', NULL, 'and a line that is not a final statement to the unit');
SELECT throws_ok($$ INSERT INTO payout_leaf VALUES (1, '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', 5, sha256('')) $$, '23514', NULL, 'and a leaf that is not the hash of its payment');

-- cancelled: the statements are open again, the rows stay
SELECT throws_ok(format('SELECT cancel_payout(%s, %L)', :a, ' '), '22023', NULL, 'a cancellation needs a reason');
SELECT cancel_payout(:a, 'a wrong address') \g /dev/null
SELECT throws_ok(format('SELECT release_payout(%s)', :a), '23001', NULL, 'a cancelled batch is not released');
SELECT is(count(*) FILTER (WHERE cancelled), count(*), 'all its lines are cancelled') FROM payout_line WHERE payout_id = :a;
SELECT make_payout(1001) AS b \gset
SELECT is(sum(amount), (SELECT sum(amount) FROM reward WHERE epoch_id = 1001 AND provider_id <> 1005), 'a batch up to an epoch') FROM payout_line WHERE payout_id = :b;
SELECT make_payout() AS b \gset
SELECT is((SELECT sum(total) FROM payout WHERE status = 'draft'), (SELECT sum(amount) FROM reward WHERE epoch_id IN (1001, 1002) AND provider_id <> 1005), 'and one with the rest');

-- released
SELECT is(release_payout(:b), (SELECT root FROM payout WHERE payout_id = :b), 'released, with its root');
SELECT throws_ok(format('SELECT cancel_payout(%s, %L)', :b, 'x'), '23001', NULL, 'for good');
SELECT throws_ok(format('SELECT release_payout(%s)', :b), '23001', NULL, 'once');
SELECT throws_ok('SELECT release_payout(4711)', 'P0002', NULL, 'no such batch');
SELECT throws_ok('SELECT cancel_payout(4711, ''x'')', 'P0002', NULL, 'no such batch');
SELECT throws_ok('SELECT payout_csv(4711)', 'P0002', NULL, 'no such batch');
SELECT throws_ok('SELECT verify_payout(NULL)', 'P0002', NULL, 'no batch');
SELECT throws_ok('UPDATE ' || t, '23001', NULL, t) FROM unnest(ARRAY['payout SET total = total', 'payout SET note = ''x''', 'payout_leaf SET amount = amount', 'payout_line SET amount = amount']) t;
SELECT throws_ok('UPDATE payout_line SET cancelled = true WHERE payout_id = ' || :b, '23503', NULL, 'no line is cancelled alone');
SELECT throws_ok('DELETE FROM payout_line', '23001', NULL, 'no line is deleted');
SELECT throws_ok('TRUNCATE payout_line', '23001', NULL, 'nor all');
SELECT is(payout_csv(:b), (SELECT E'address,amount\n' || string_agg(address || ',' || amount || E'\n', '' ORDER BY address COLLATE "C") FROM payout_leaf WHERE payout_id = :b), 'CSV');
SELECT unnest(ARRAY[is(t ->> 'format', 'standard-v1', 'the tree says its format'), is(t #>> '{tree,0}', '0x' || encode((SELECT root FROM payout WHERE payout_id = :b), 'hex'), 'the root comes first'),
	is((SELECT array_agg(decode(substr(t -> 'tree' ->> (v ->> 'treeIndex')::int, 3), 'hex') = merkle_leaf(v #>> '{value,0}', (v #>> '{value,1}')::numeric)) FROM json_array_elements(t -> 'values') v),
		ARRAY[true, true, true], 'each payment is at its leaf')])
FROM payout_tree(:b) t;
SELECT is_empty(format('SELECT x.* FROM payout_proof(%1$s) x, payout p WHERE p.payout_id = %1$s AND (pg_temp.climb(x.leaf, x.proof) <> p.root OR x.leaf <> merkle_leaf(x.address, x.amount)
	OR x.proof <> merkle_proof((SELECT array_agg(l.leaf) FROM payout_leaf l WHERE l.payout_id = %1$s), x.leaf))', :b), 'proofs lead to the root');
SELECT is(count(*), 3::bigint, 'there is one for each payment') FROM payout_proof(:b);
SELECT results_eq(format($$ SELECT * FROM payout_proof(%s, lower('0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359')) $$, :b),
	format($$ SELECT * FROM payout_proof(%s) WHERE address = '0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359' $$, :b), 'or for one address');
SELECT is_empty(format($$ SELECT * FROM payout_proof(%s, '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb') $$, :b), 'or for none');
SELECT throws_ok(format('SELECT * FROM payout_proof(%s, %L)', :b, 'x'), '22P02', NULL, 'what is no address is an error');

-- a negative balance is carried, never paid
UPDATE telemetry SET ok = false WHERE node_id IN (SELECT node_id FROM node WHERE provider_id IN (1003, 1005));
SELECT restate_epoch(1002, 'a fault that was reported late', '{}') > 0 AS posted \gset
SELECT ok(:'posted'::boolean, 'what was paid turns out to be too much');
CALL run_epoch(1003);
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1003;
SELECT ok((SELECT total < 0 FROM final_statement WHERE epoch_id = 1003 AND provider_id = 1003), 'a statement is negative');
SAVEPOINT debt;
UPDATE provider SET payout_address = '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb' WHERE provider_id = 1005;
SELECT ok(sum(total) FILTER (WHERE epoch_id < 1003) > 0 AND sum(total) FILTER (WHERE epoch_id = 1003) < 0, 'one has earned before, and owes after') FROM open_statement() WHERE provider_id = 1005;
SELECT is(make_payout(1002), NULL, 'it is not paid for the time before');
ROLLBACK TO debt;
SELECT make_payout() AS c \gset
SELECT ok(NOT EXISTS (SELECT FROM payout_line WHERE payout_id = :c AND provider_id = 1003), 'who owes is not in the batch');
SELECT ok(balance < 0 AND waits_for = 'a positive balance', 'but carries it on') FROM provider_balance WHERE provider_id = 1003;
SELECT is_empty('SELECT provider_id FROM payout_line GROUP BY payout_id, provider_id HAVING sum(amount) <= 0', 'nothing and less is never paid');
SELECT is_empty('SELECT * FROM verify_payout(' || :c || ') WHERE NOT ok', 'the batch verifies');
-- later statements make up for it
UPDATE telemetry SET ok = true WHERE node_id IN (SELECT node_id FROM node WHERE provider_id IN (1003, 1005));
SELECT restate_epoch(1002, 'and then was none', '{}') > 0 AS posted \gset
CALL run_epoch(1004);
UPDATE epoch SET status = 'final', final_at = now() WHERE epoch_id = 1004;
UPDATE provider SET payout_address = '0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb' WHERE provider_id = 1005;
SELECT make_payout() AS d \gset
SELECT ok(min(amount) < 0 AND sum(amount) > 0, 'it is set off in the next batch') FROM payout_line WHERE payout_id = :d AND provider_id = 1003;
SELECT is(count(DISTINCT epoch_id), 4::bigint, 'who had no address until now is paid for all epochs') FROM payout_line WHERE payout_id = :d AND provider_id = 1005;
SELECT is((SELECT sum(total) FROM payout WHERE status <> 'cancelled') + (SELECT sum(balance) FROM provider_balance), (SELECT sum(amount) FROM reward) + (SELECT sum(amount) FROM restatement WHERE provider_id IS NOT NULL),
	'all that was earned and restated is paid, or open');
SELECT is_empty('SELECT * FROM provider_balance WHERE balance > 0 OR balance <> earned + restated - released - drafted', 'only debts are left open');
SELECT is_empty('SELECT * FROM provider_account WHERE carried_in + earned + restated - paid_out <> balance', 'accounts add up');
SELECT is_empty($$ SELECT provider_id FROM (SELECT provider_id, balance, row_number() OVER (PARTITION BY provider_id ORDER BY period DESC) AS n FROM provider_account) a JOIN provider_balance b USING (provider_id) WHERE n = 1 AND a.balance <> b.balance $$, 'and end at the open balance');
SELECT is_empty('SELECT p.payout_id, v.* FROM payout p, verify_payout(p.payout_id) v WHERE NOT v.ok', 'every batch verifies, the cancelled one too');

-- changed behind the database's back, it is found
SELECT throws_ok('UPDATE payout_leaf SET leaf = sha256(leaf)', '23001', NULL, 'not even a hash can be changed');
ALTER TABLE payout_leaf DROP CONSTRAINT payout_leaf_hash;
SET LOCAL session_replication_role = replica;
UPDATE payout_leaf SET amount = amount + 1 WHERE payout_id = :d AND address = (SELECT min(address) FROM payout_leaf WHERE payout_id = :d);
SELECT ok(count(*) >= 3, 'one unit more in a payment is found') FROM verify_payout(:d) WHERE NOT ok;
SET LOCAL session_replication_role = origin;
SELECT throws_ok('SELECT release_payout(' || :d || ')', '23514', NULL, 'and not released');

CREATE ROLE payout_nobody;
GRANT USAGE ON SCHEMA swarm_reward TO payout_nobody;
SET LOCAL ROLE payout_nobody;
SELECT throws_ok('SELECT swarm_reward.make_payout()', '42501', NULL, 'not for everybody');
SELECT throws_ok('SELECT swarm_reward.payout_csv(' || :d || ')', '42501', NULL, 'nor is what is paid to whom');
RESET ROLE;
SELECT * FROM finish();
ROLLBACK;
