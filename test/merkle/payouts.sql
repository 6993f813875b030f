-- Batches of 1 to 3000 payments, each posted, made and released as any other; and hashes of messages of every length
-- around the block. One JSON value a line.
CREATE EXTENSION swarm_reward CASCADE;
CREATE FUNCTION pg_temp.batch(no int, payments int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	batch bigint;
	id bigint;
BEGIN
	INSERT INTO provider (provider_id, name, payout_address)
	SELECT no * 10000 + i, no || '/' || i, '0x' || md5(no || ' ' || i) || substr(md5(i || ' ' || no), 1, 8) FROM generate_series(1, payments) i;
	PERFORM swarm_reward_internal.account_of_providers(array_agg(no * 10000::bigint + i)) FROM generate_series(1, payments) i;
	INSERT INTO entry (kind) VALUES ('reward') RETURNING entry_id INTO id;
	-- amounts of all lengths up to 37 digits
	INSERT INTO posting (entry_id, account_id, amount)
	WITH earned AS MATERIALIZED (
		SELECT a.account_id, 1 + div(('x' || md5(i || 'a'))::bit(31)::int::numeric * 10::numeric ^ 28, 10::numeric ^ (i % 37)) AS amount
		FROM generate_series(1, payments) i JOIN account a ON a.provider_id = no * 10000 + i)
	SELECT id, account_id, amount FROM earned UNION ALL SELECT id, 1, -sum(amount) FROM earned;
	batch := make_payout();
	PERFORM release_payout(batch);
	RETURN batch;
END $$;
BEGIN;
CREATE TABLE pg_temp.made AS SELECT pg_temp.batch(no::int, payments) AS payout_id, payments
	FROM unnest(ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 100, 1000, 3000]) WITH ORDINALITY u (payments, no);
SELECT json_build_object('hashes', (SELECT json_object_agg(n, encode(keccak256(convert_to(repeat('x', n), 'UTF8')), 'hex')) FROM generate_series(0, 420) n));
SELECT json_build_object('payments', m.payments, 'root', encode(p.root, 'hex'), 'csv', payout_csv(m.payout_id), 'tree', payout_tree(m.payout_id),
	'proofs', (SELECT json_agg(json_build_object('address', x.address, 'amount', x.amount::text, 'tree_index', x.tree_index,
			'proof', (SELECT coalesce(json_agg('0x' || encode(h, 'hex') ORDER BY o), '[]') FROM unnest(x.proof) WITH ORDINALITY u (h, o))))
		FROM payout_proof(m.payout_id) x))
FROM pg_temp.made m JOIN payout p USING (payout_id) ORDER BY m.payout_id;
ROLLBACK;
