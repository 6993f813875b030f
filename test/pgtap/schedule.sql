-- job_list without pg_cron: what is a schedule, and what is none
BEGIN;
SELECT plan(45);
SELECT ok(is_crontab(s), s || ' is one') FROM unnest(ARRAY['*/5 * * * *', '* * * * *', '0 0 1 1 0', '59 23 31 12 7', '1,2,30-40/2 */2 1-5 jan,Mar-dec mon-FRI', ' 7	*  * * * ', '0 0 $ * *',
	'@hourly', '@Daily', '1 second', '59 seconds', '5/10 * * * *']) s;
SELECT ok(NOT is_crontab(s), s || ' is none') FROM unnest(ARRAY['', ' ', 'x', 'every now and then', '* * * *', '* * * * * *', '60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 0 *', '* * * 13 *',
	'* * * * 8', '-1 * * * *', '30-20 * * * *', '*/0 * * * *', '*/60 * * * *', '1,, * * * *', ', * * * *', '*-5 * * * *', 'jan * * * *', '* * * mon *', '$ * * * *', '0 seconds', '60 seconds', '@never',
	'* * * * *; DROP', '100000000000000 * * * *', '*/5 * * * * ?']) s;
SELECT is(is_crontab(NULL), NULL, 'nothing is neither');
SELECT throws_ok($$ SELECT * FROM job_list('x') $$, '22023', 'invalid schedule: ''x''', 'no list for what is none');
SELECT throws_ok($$ SELECT * FROM job_list('61 * * * *', plan_length => '1 day') $$, '22023', 'invalid schedule: ''61 * * * *''', 'nor with plans');
SELECT is((SELECT array_agg(schedule ORDER BY job_name) FROM job_list('1 1 1 1 1')), ARRAY['1 1 1 1 1', '7 * * * *', '17 1,13 * * *'], 'what is one is taken as it is');
SELECT * FROM finish();
ROLLBACK;
