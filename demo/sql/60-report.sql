\pset footer off
\pset null '-'

\echo
\echo '1. What the budget paid for, in tokens'
\echo '   Each epoch splits its budget over six components; what a component cannot pay, for want of'
\echo '   growth to pay for, is kept for the same component of the next epoch.'
\echo
SELECT coalesce(left(epoch, 4), 'total') AS year, demo.whole(sum(budget)) AS budget,
	demo.whole(sum(paid) FILTER (WHERE component = 'new_regions')) AS new_regions,
	demo.whole(sum(paid) FILTER (WHERE component = 'coverage_gaps')) AS coverage_gaps,
	demo.whole(sum(paid) FILTER (WHERE component = 'resource_types')) AS resource_types,
	demo.whole(sum(paid) FILTER (WHERE component = 'network_capacity')) AS network_capacity,
	demo.whole(sum(paid) FILTER (WHERE component = 'service_types')) AS service_types,
	demo.whole(sum(paid) FILTER (WHERE component = 'specialization')) AS specialization,
	demo.whole(sum(paid)) AS paid
FROM demo.pool WHERE epoch >= '2019'
GROUP BY ROLLUP (left(epoch, 4)) ORDER BY left(epoch, 4) NULLS LAST;

SELECT max(epoch) AS last FROM demo.pool \gset
\echo '   The last epoch,' :last
\echo
SELECT component, demo.exactly(budget) AS budget, demo.exactly(carried_in) AS "kept before", demo.exactly(paid) AS paid,
	demo.exactly(carried_out) AS "kept for later", demo.exactly(treasury) AS treasury, to_char(rewards, '999,990') AS rewards
FROM (
	SELECT p.component, c.position, budget, carried_in, paid, carried_out, treasury, rewards
	FROM demo.pool p JOIN component c ON c.code = p.component WHERE epoch = :'last'
	UNION ALL
	SELECT 'together', 7, sum(budget), sum(carried_in), sum(paid), sum(carried_out), sum(treasury), sum(rewards) FROM demo.pool WHERE epoch = :'last') t
ORDER BY position;

\echo '2. The ten providers that earned most, and why'
\echo
SELECT row_number() OVER w AS " ", left(provider, 40) AS provider, demo.whole(amount) AS tokens, demo.percent(amount / sum(amount) OVER ()) AS share,
	nodes, regions, why
FROM demo.provider p, LATERAL (
	SELECT string_agg(format('%s %s %%', name, round(100 * part / p.amount)), ', ' ORDER BY part DESC, name) AS why
	FROM (SELECT * FROM (VALUES ('new regions', new_regions), ('gaps', coverage_gaps), ('scarce resources', resource_types),
			('capacity', network_capacity), ('services', service_types), ('specialization', specialization)) v (name, part)
		WHERE part > 0 ORDER BY part DESC, name LIMIT 3) best) reason
WINDOW w AS (ORDER BY amount DESC, provider COLLATE "C") ORDER BY 1 LIMIT 10;

\echo '3. The regions with the highest multipliers in' :last '(of equal ones, where most people are)'
\echo '   A node that is new there scores multiplier - 1 per unit of contribution; 1 means enough is there.'
\echo
SELECT name AS region, demo.people(demand::numeric) AS "people in cities", to_char(multiplier, '990.00') AS multiplier,
	demo.percent(covered_at_opening::numeric) AS "covered before", demo.percent(covered_at_close::numeric) AS "covered now", nodes
FROM demo.region WHERE epoch = :'last' AND demand > 0
ORDER BY demo.region.multiplier DESC, demand DESC, region LIMIT 10;

\echo '4. The five worst gaps that remain: people whom a new node in that city would reach within 10 ms'
\echo '   and who are not served, each gap without the people of those before it'
\echo
SELECT gap AS " ", city, region, demo.people(unserved::numeric) AS "people not served", demo.people(in_city::numeric) AS "people in the city" FROM demo.gap ORDER BY gap;

SELECT n.name AS node, p.name AS provider, m.city, n.joined_at::date AS joined
FROM demo.one_node JOIN node n USING (node_id) JOIN provider p USING (provider_id) JOIN demo.machine m USING (node_id) \gset
\echo '5. One node over time, in tokens:' :node 'of' :provider 'in' :city
\echo '   It joined on' :joined 'and was paid for being new, then for what it keeps doing.'
\echo
SELECT epoch, demo.percent(uptime::numeric) AS uptime, to_char(quality, '0.000') AS quality, to_char(contribution, '990.00') AS contribution,
	demo.whole(new_regions) AS new_regions, demo.whole(coverage_gaps) AS coverage_gaps, demo.whole(resource_types) AS resource_types,
	demo.whole(network_capacity) AS network_capacity, demo.whole(service_types) AS service_types, demo.whole(specialization) AS specialization,
	demo.whole(total) AS total
FROM demo.node JOIN demo.one_node USING (node_id) ORDER BY epoch;

\echo '6. Does it add up? Every base unit (a millionth of a token) of every epoch, from the single rewards:'
\echo
\t on
SELECT format(E'   budget of %s epochs          %s\n = paid in %s rewards      %s\n + kept for the next epoch   %s\n + treasury                  %s\n   difference                %s   %s',
	lpad(count(*)::text, 2), demo.exactly(sum(budget)), to_char((SELECT count(*) FROM reward), '999,990'), demo.exactly(sum(paid)),
	demo.exactly((array_agg(carried_out ORDER BY epoch DESC))[1]), demo.exactly(sum(treasury)),
	demo.exactly(difference.tokens),
	CASE WHEN difference.tokens = 0 AND bool_and(not_in_a_pool = 0 AND not_in_a_reward = 0 AND not_accounted = 0 AND lost_between_epochs = 0)
		THEN 'exact, and so in each epoch' ELSE 'WRONG' END)
FROM demo.balance, LATERAL (SELECT sum(budget) - sum(paid) - sum(treasury) - (array_agg(carried_out ORDER BY epoch DESC))[1] AS tokens FROM demo.balance) difference
WHERE epoch >= '2019'
GROUP BY difference.tokens;
\t off
