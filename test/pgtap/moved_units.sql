-- Units that came to a machine are as new in the region as its provider for as long as newness counts, also when they are mature.
\set ON_ERROR_STOP 1
BEGIN;
SET search_path = swarm_reward, public;
SELECT plan(4);
\ir small.psql
-- node 3 came on 10 February, its provider on 15 January; more of units on 12 February, which are mature before March
UPDATE policy SET maturity = '10 days' WHERE name = 'p';
UPDATE node_resource SET valid = '(,2024-02-12)' WHERE node_id = 3 AND resource_type = 'gpu';
INSERT INTO node_resource VALUES (3, 'gpu', 103, '[2024-02-12,)');
CALL run_epoch(1);
CALL run_epoch(2);
CALL run_epoch(3);
SELECT is(tenure, 1::float8, 'all is mature') FROM epoch_node WHERE epoch_id = 3 AND node_id = 3;
-- 3 gpu and 8 cpu are 20 days old when March begins, 35 in the mean; 100 gpu 46 and 61
SELECT is(round(freshness::numeric, 12), round((23 * (1 - 35 / 180.0) + 500 * (1 - 61 / 180.0)) / 523, 12), 'what came later is as new as the provider') FROM epoch_node WHERE epoch_id = 3 AND node_id = 3;
-- the same at the end of February, before it is
SELECT cmp_ok((SELECT freshness FROM epoch_node WHERE epoch_id = 3 AND node_id = 3), '<', (SELECT freshness FROM epoch_node WHERE epoch_id = 2 AND node_id = 3), 'nobody becomes newer with time');
-- newness has an end, whatever maturity is
SELECT is((SELECT round(freshness::numeric, 12) FROM epoch_node WHERE epoch_id = 3 AND node_id = 2), round(1 - 61 / 180.0, 12), 'who has as many units as ever is as new as his stay');
SELECT * FROM finish();
ROLLBACK;
