\pset footer off
\pset null '-'

\echo
\echo '1. What the budget paid for, in tokens'
\echo '   Each epoch splits its budget over seven pools. A pool pays at most a price per unit of growth or'
\echo '   work; what it does not pay it carries over, up to one budget, and the rest goes to the treasury.'
\echo
SELECT coalesce(left(epoch, 4), 'total') AS year, demo.whole(sum(budget)) AS budget,
	demo.whole(sum(paid) FILTER (WHERE component = 'new_regions'), 11) AS "new regions",
	demo.whole(sum(paid) FILTER (WHERE component = 'geographic_gaps'), 9) AS "geo gaps",
	demo.whole(sum(paid) FILTER (WHERE component = 'resource_gaps'), 9) AS "res. gaps",
	demo.whole(sum(paid) FILTER (WHERE component = 'resource_types'), 9) AS "scarce",
	demo.whole(sum(paid) FILTER (WHERE component = 'network_capacity'), 9) AS "capacity",
	demo.whole(sum(paid) FILTER (WHERE component = 'service_types'), 9) AS "services",
	demo.whole(sum(paid) FILTER (WHERE component = 'specialization'), 9) AS "special",
	demo.whole(sum(paid)) AS paid, demo.whole(sum(treasury)) AS treasury,
	demo.whole(CASE grouping(left(epoch, 4)) WHEN 0 THEN sum(carried_out) FILTER (WHERE epoch ~ 'Q4')
		ELSE sum(carried_out) FILTER (WHERE epoch = (SELECT max(epoch) FROM demo.pool)) END, 15) AS "carried at the end"
FROM demo.pool WHERE epoch >= '2019'
GROUP BY ROLLUP (left(epoch, 4)) ORDER BY left(epoch, 4) NULLS LAST;

SELECT max(epoch) AS last FROM demo.pool \gset
\echo '   What the ceilings did: epochs in which a pool could have paid more than its price allowed, and'
\echo '   what a unit of its score cost at least and at most, in tokens'
\echo
SELECT c.code AS component, c.unit, trim_scale(round(max(price_max) / 1e6, 6)) AS ceiling,
	count(*) FILTER (WHERE score > 0) AS "epochs with a score", count(*) FILTER (WHERE payable < p.budget + carried_in AND score > 0) AS "at the ceiling",
	trim_scale(round(min(paid / score::numeric) FILTER (WHERE paid > 0) / 1e6, 6)) AS cheapest, trim_scale(round(max(paid / score::numeric) FILTER (WHERE paid > 0) / 1e6, 6)) AS dearest,
	demo.whole(sum(p.budget) - sum(paid)) AS "not paid"
FROM demo.pool p JOIN component c ON c.code = p.component WHERE epoch >= '2019'
GROUP BY c.code ORDER BY c."position";

\echo '   The last epoch,' :last
\echo
SELECT component, demo.exactly(budget) AS budget, demo.exactly(carried_in) AS "carried in", demo.exactly(paid) AS paid,
	demo.exactly(carried_out) AS "carried over", demo.exactly(treasury) AS treasury, demo.people(rewards, 7) AS rewards
FROM (
	SELECT p.component, c.position, budget, carried_in, paid, carried_out, treasury, rewards
	FROM demo.pool p JOIN component c ON c.code = p.component WHERE epoch = :'last'
	UNION ALL
	SELECT 'together', 8, sum(budget), sum(carried_in), sum(paid), sum(carried_out), sum(treasury), sum(rewards) FROM demo.pool WHERE epoch = :'last') t
ORDER BY position;

\echo '2. The ten providers that earned most, and why'
\echo
SELECT row_number() OVER w AS " ", left(provider, 40) AS provider, demo.whole(amount) AS tokens, demo.percent(amount / sum(amount) OVER ()) AS share,
	nodes, regions, why, most_in AS "most in"
FROM demo.provider p, LATERAL (
	SELECT string_agg(format('%s %s %%', name, round(100 * part / p.amount)), ', ' ORDER BY part DESC, name) AS why
	FROM (SELECT * FROM (VALUES ('new regions', new_regions), ('gaps', geographic_gaps), ('resource gaps', resource_gaps), ('scarce resources', resource_types),
			('capacity', network_capacity), ('services', service_types), ('specialization', specialization)) v (name, part)
		WHERE part > 0 ORDER BY part DESC, name LIMIT 3) best) reason
WINDOW w AS (ORDER BY amount DESC, provider COLLATE "C") ORDER BY 1 LIMIT 10;

\echo '3. The regions with the highest multipliers in' :last '(of equal ones, where most people are)'
\echo '   A node that is new there scores multiplier - 1 per unit of contribution and day; 1 means enough is there.'
\echo
SELECT name AS region, to_char(multiplier, '990.00') AS multiplier, demo.people(demand::numeric, 16) AS "people in cities",
	demo.percent((given / demand)::numeric, 15) AS "taken for given", demo.percent((served / demand)::numeric, 10) AS "served now", nodes
FROM demo.region WHERE epoch = :'last' AND demand > 0
ORDER BY demo.region.multiplier DESC, demand DESC, region LIMIT 10;

\echo '   And of those that have nodes:'
\echo
SELECT name AS region, to_char(multiplier, '990.00') AS multiplier, demo.people(demand::numeric, 16) AS "people in cities",
	demo.percent((given / demand)::numeric, 15) AS "taken for given", demo.percent((served / demand)::numeric, 10) AS "served now", nodes
FROM demo.region WHERE epoch = :'last' AND demand > 0 AND nodes > 0
ORDER BY demo.region.multiplier DESC, demand DESC, region LIMIT 5;

\echo '4. The five worst gaps that remain: where a new node would reach most people within 10 ms who are'
\echo '   not served, each without the people of those before it'
\echo
SELECT gap AS " ", node_in AS "a node near", region, demo.people(not_served::numeric, 17) AS "people not served",
	largest_city AS "largest city in it", demo.people(people::numeric, 11) AS people
FROM demo.gap ORDER BY gap;

SELECT n.name AS node, p.name AS provider, m.city, n.joined_at::date AS joined
FROM demo.one_node JOIN node n USING (node_id) JOIN provider p USING (provider_id) JOIN demo.machine m ON m.name = n.name \gset
\echo '5. One node over time, in tokens:' :node 'of' :provider 'in' :city
\echo '   It joined on' :joined 'and was paid for growth while it was new, then for what it keeps doing.'
\echo
SELECT epoch, demo.percent(uptime::numeric) AS uptime, to_char(quality, '0.000') AS quality, to_char(place_trust, '0.000') AS place,
	to_char(tenure, '0.000') AS tenure, to_char(contribution, '990.00') AS contribution,
	demo.whole(new_regions, 11) AS "new regions",
	demo.whole(geographic_gaps, 8) AS "geo gaps",
	demo.whole(resource_gaps, 9) AS "res. gaps",
	demo.whole(resource_types, 8) AS "scarce",
	demo.whole(network_capacity, 8) AS "capacity",
	demo.whole(service_types, 8) AS "services",
	demo.whole(specialization, 8) AS "special",
	demo.whole(total) AS total
FROM demo.node JOIN demo.one_node USING (node_id) ORDER BY epoch;

SELECT coalesce(sum(budget) = sum(paid) + sum(treasury) + (array_agg(carried_out ORDER BY epoch DESC))[1]
	AND bool_and((not_in_a_pool, not_in_a_reward, not_accounted, lost_between_epochs) = (0, 0, 0, 0)), false) AS exact
FROM demo.balance \gset
\echo '6. Does it add up? Every base unit (a millionth of a token) of every epoch, from the single rewards:'
\echo
\t on
\pset format unaligned
SELECT rpad('   budget of ' || count(*) || ' epochs', 34) || demo.exactly(sum(budget)) || E'\n'
	|| rpad(' = paid in ' || (SELECT ltrim(demo.people(count(*), 9)) FROM reward WHERE amount > 0) || ' rewards', 34) || demo.exactly(sum(paid)) || E'\n'
	|| rpad(' + carried over', 34) || demo.exactly(last.carried_out) || E'\n'
	|| rpad(' + treasury', 34) || demo.exactly(sum(treasury)) || E'\n'
	|| rpad('   difference', 34) || demo.exactly(sum(budget) - sum(paid) - last.carried_out - sum(treasury))
	|| CASE WHEN :'exact' THEN '   exact, and so in each epoch' ELSE '   WRONG' END
FROM demo.balance, (SELECT carried_out FROM demo.balance ORDER BY epoch DESC LIMIT 1) last
WHERE epoch >= '2019'
GROUP BY last.carried_out;
SELECT E'   and in the journal, where every unit is posted twice: ' || count(DISTINCT p.entry_id) || ' entries, '
	|| count(*) || ' postings, sum ' || sum(p.amount) || ', to providers ' || ltrim(demo.exactly((SELECT sum(balance) FROM provider_balance)))
FROM posting p;
SELECT E'   Computed again from what they have frozen, ' || count(*) FILTER (WHERE status = 'final') || ' epochs became final; in '
	|| :'last' || ' ' || (SELECT count(*) || ' checks are made and ' || count(*) FILTER (WHERE NOT ok) || ' fail' FROM verify_epoch((SELECT max(epoch_id) FROM epoch))) || E'\n'
FROM epoch;
\pset format aligned
\t off

\if :exact
\else
	DO $$ BEGIN RAISE EXCEPTION 'the rewards do not add up: see demo.balance'; END $$;
\endif
