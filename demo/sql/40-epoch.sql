-- What one epoch did, in a line.
SELECT format('   %s  %s nodes of %s providers, %s tokens paid%s', e.note,
	lpad(n.nodes::text, 4), lpad(n.providers::text, 2), to_char(p.paid / 1e6, '9,999,990.000000'),
	CASE WHEN e.budget = 0 THEN '  (baseline: no budget)'
		ELSE format(', %s carried over, %s to the treasury', ltrim(to_char(p.carried_out / 1e6, '9,999,990')), ltrim(to_char(p.treasury / 1e6, '9,999,990'))) END)
FROM epoch e,
	LATERAL (SELECT count(*) AS nodes, count(DISTINCT provider_id) AS providers FROM epoch_node WHERE epoch_id = e.epoch_id) n,
	LATERAL (SELECT sum(paid) AS paid, sum(carried_out) AS carried_out, sum(treasury) AS treasury FROM epoch_pool WHERE epoch_id = e.epoch_id) p
WHERE e.epoch_id = :epoch;
