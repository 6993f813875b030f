-- The type coverage: input and output, equality, the algebra, measures.
SET client_min_messages = warning;
SET search_path = swarm_reward, public;
SET extra_float_digits = 0;

-- text: canonical whatever was typed
SELECT '3:{}'::coverage;
SELECT '3:{[0,4)=1.5,[10,11)=2}'::coverage;
SELECT ' 3 : { [ 0 , 2 ) = 1.5 , [2,4)=15e-1, [5,6)=0, [10,768) = -2 } '::coverage;
SELECT '0:{[0,12)=-0}'::coverage;
SELECT '13:{[805306367,805306368)=0.1}'::coverage;
SELECT '0:{[0,1)=0.30000000000000004,[1,2)=0.3,[2,3)=5e-324,[3,4)=1.7976931348623157e308}'::coverage;

-- text: mistakes
SELECT ''::coverage;
SELECT 'x'::coverage;
SELECT '14:{}'::coverage;
SELECT '-1:{}'::coverage;
SELECT '3:{'::coverage;
SELECT '3:{}x'::coverage;
SELECT '3:{[0,4)}'::coverage;
SELECT '3:{[4,4)=1}'::coverage;
SELECT '3:{[4,2)=1}'::coverage;
SELECT '3:{[0,4)=1,[3,5)=1}'::coverage;
SELECT '3:{[0,4)=1,}'::coverage;
SELECT '3:{[0,769)=1}'::coverage;
SELECT '3:{[0,4)=nan}'::coverage;
SELECT '3:{[0,4)=1e999}'::coverage;
SELECT '3:{[0,4)=1.2.3}'::coverage;
SELECT '3:{[0,99999999999999999999)=1}'::coverage;

-- text of many runs: base64 of the binary form, which is taken at any size
SELECT substr(c::text, 1, 40) AS start, length(c::text) - length('10:') = 4 * length(swarm_reward_internal.coverage_send(c)) / 3 AS base64,
       c::text = '10:' || translate(encode(swarm_reward_internal.coverage_send(c), 'base64'), E'\n', '') AS of_binary, c::text::coverage = c AS same
FROM (SELECT ('10:{' || string_agg(format('[%s,%s)=%s', i, i + 1, i % 7 + 0.1), ',' ORDER BY i) || '}')::coverage FROM generate_series(0, 65535) i) f(c);
SELECT substr(c::text, 1, 40) AS start, c::text::coverage = c AS same
FROM (SELECT ('10:{' || string_agg(format('[%s,%s)=%s', i, i + 1, i % 7 + 0.1), ',' ORDER BY i) || '}')::coverage FROM generate_series(0, 65534) i) f(c);
SELECT (' 3 : ' || encode(swarm_reward_internal.coverage_send('3:{[0,4)=1.5,[10,11)=2}'), 'base64') || ' ')::coverage, '0:AAAAAAABAAAAAAAAAAAAAAAA'::coverage;
SELECT '3:AAAAAAABAAAAAAAAAAAAAAAA'::coverage;
SELECT '0:AAAAAAAB'::coverage;
SELECT '0:AAAAAAABAAAAAAAAAAAAAAAAA'::coverage;
SELECT '0:AAAAAAABAAAAAAAAAA=AAAAA'::coverage;
SELECT '0:AAAAAAAAAAAAAAAAAAAAAAAA'::coverage;
SELECT '0:AAD/////AAAAAAAAAAAAAAAA'::coverage;
SELECT '0:AQAAAAABAAAAAAAAAAAAAAAA'::coverage;
SELECT '0:AAAAAAABAAAAAX/wAAAAAAAA'::coverage;
SELECT '0:AAAAAAABAAAAAH/wAAAAAAAA'::coverage;
SELECT '3:[0,4)=1'::coverage;

-- binary: exact round trip, and mistakes
SELECT encode(swarm_reward_internal.coverage_send('3:{[0,4)=1.5,[10,11)=2}'), 'hex');
SELECT encode(swarm_reward_internal.coverage_send('0:{}'), 'hex');

-- what is stored is looked at when it is opened
CREATE TYPE raw;
CREATE FUNCTION raw_in(cstring) RETURNS raw LANGUAGE internal IMMUTABLE STRICT AS 'byteain';
CREATE FUNCTION raw_out(raw) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'byteaout';
CREATE TYPE raw (INPUT = raw_in, OUTPUT = raw_out, ALIGNMENT = double, STORAGE = external);
CREATE CAST (raw AS coverage) WITHOUT FUNCTION;
SELECT ('\x00'::raw::coverage)::text;
SELECT coverage_order('\x00'::raw::coverage);
SELECT coverage_area(('\x' || repeat('00', 28))::raw::coverage);
SELECT coverage_area(('\x01010101' || repeat('00', 36))::raw::coverage);
SELECT coverage_order(('\x01010101' || repeat('00', 36))::raw::coverage);
SELECT coverage_area(('\x0000000020202020' || repeat('00', 32))::raw::coverage);
SELECT coverage_order(('\x0000000020202020' || repeat('00', 32))::raw::coverage);
SELECT coverage_area(('\x000000000000000001010101' || repeat('00', 28))::raw::coverage);
DROP TYPE raw CASCADE;

-- equality and hashing
SELECT '3:{[0,2)=1,[2,4)=1}'::coverage = '3:{[0,4)=1}'::coverage AS same,
       '3:{[0,4)=1}'::coverage <> '3:{[0,5)=1}'::coverage AS other_cells,
       '3:{}'::coverage = '4:{}'::coverage AS other_order;
SELECT c, count(*) FROM (VALUES ('3:{[0,4)=1}'::coverage), ('3:{[0,4)=1}'), ('3:{[0,4)=2}')) v(c)
GROUP BY c ORDER BY c::text;

-- algebra
SELECT '1:{[0,4)=6,[8,9)=1}'::coverage + '1:{[2,9)=3}' AS add,
       '1:{[0,4)=6}'::coverage - '1:{[2,9)=3}' AS sub,
       '1:{[0,4)=6}'::coverage * '1:{[2,9)=3}' AS mul,
       '1:{[0,4)=6}'::coverage / '1:{[2,9)=3}' AS div;
SELECT '1:{[0,4)=6}'::coverage + 1 AS add, '1:{[0,4)=6}'::coverage - 1 AS sub,
       '1:{[0,4)=6}'::coverage * 2 AS mul, '1:{[0,4)=6}'::coverage / 4 AS div;
SELECT 1 + '1:{[0,4)=6}'::coverage AS add, 1 - '1:{[0,4)=6}'::coverage AS sub,
       2 * '1:{[0,4)=6}'::coverage AS mul, 3 / '1:{[0,4)=6}'::coverage AS div;
SELECT '1:{[0,4)=6}'::coverage / 0 AS div_zero, 0 / '1:{}'::coverage AS zero_by_zero;
SELECT coverage_least('1:{[0,4)=6}', '1:{[2,9)=3}'::coverage) AS least,
       coverage_greatest('1:{[0,4)=6}', '1:{[2,9)=3}'::coverage) AS greatest,
       coverage_least('1:{[0,4)=6}', 1) AS least_1, coverage_greatest('1:{[0,4)=6}', 1.5) AS greatest_1;
SELECT coverage_mask('1:{[0,4)=6,[4,5)=0.5}', 0.5), coverage_mask('1:{[0,4)=6,[4,5)=0.5}', 6.5);
SELECT coverage_round('1:{[0,1)=0.1,[1,2)=-0.1,[2,3)=1e300,[3,4)=0.00000762939453125,[4,5)=0.00002288818359375}');
SELECT 1 - '1:{[0,4)=6}'::coverage / NULL::float8 IS NULL AS null_in_null_out;

-- algebra: mistakes
SELECT '1:{}'::coverage + '2:{}'::coverage;
SELECT coverage_least('1:{}', '2:{}'::coverage);
SELECT '1:{[0,4)=1e308}'::coverage * 10;
SELECT '1:{[0,4)=1}'::coverage * 'NaN'::float8;
SELECT 'infinity'::float8 - '1:{[0,4)=1}'::coverage;
SELECT '1:{[0,4)=1}'::coverage / '1:{[0,4)=5e-324}';
SELECT coverage_mask('1:{}', 0);
SELECT coverage_mask('1:{}', 'NaN');

-- measures
SELECT coverage_order('7:{}'), coverage_area('1:{[0,4)=6}') / coverage_cell_area(1) AS cells,
       coverage_sum('1:{[0,4)=6,[4,5)=-1}') AS sum, coverage_sum('5:{}') AS nothing;
SELECT round(coverage_cell_area(0)::numeric * 12 / 1e6, 3) AS earth_km2;
SELECT coverage_sum(c) = 3145728 * 0.3::float8 AS rounded_once FROM (VALUES ('9:{[0,3145728)=0.3}'::coverage)) v(c);
SELECT coverage_sum('0:{[0,1)=1e308,[1,2)=1e308}');
SELECT coverage_sum('0:{[0,1)=1e308,[1,2)=-1e308,[2,3)=1}');
SELECT coverage_value('2:{[118,119)=7}', ST_GeogFromText('POINT(-45 -10)')) AS v,
       coverage_cell('POINT(-45 -10)'::geography, 2) AS cell;
SELECT coverage_cell('POINT(13.4 52.5)'::geography, k) FROM generate_series(0, 13) k;
SELECT coverage_cell('POINT(0 0)'::geography, 14);
SELECT coverage_cell('POINT(0 0)'::geography, -1);
SELECT coverage_cell_area(14);
-- two fields that once had the same digest
SELECT n, coverage_value(c, 'POINT(45 60)') AS value, coverage_sum(c, 'POINT(45 60)', 1) AS disc, coverage_sum(c, 'POLYGON((-1 -40,1 -40,1 40,-1 40,-1 -40))') AS region
FROM (VALUES (1, '0:{[0,1)=1,[1,12)=2}'::coverage), (2, '0:{[0,1)=-1,[1,12)=2.0000001192092896}')) v(n, c) ORDER BY n;

-- cells for maps
SELECT cell, value, ST_AsText(center::geometry, 6) AS center, ST_AsText(boundary::geometry, 3) AS boundary
FROM coverage_cells('5:{[0,1)=1,[5000,5001)=2.5}');
SELECT count(*) FROM coverage_cells(NULL);
SELECT sum(ST_Area(boundary)) / 510065621724078 BETWEEN 0.9999 AND 1.0001 AS tiles_the_earth,
       bool_and(abs(ST_Area(boundary) / coverage_cell_area(2) - 1) < 0.001) AS each_within_a_thousandth
FROM coverage_cells('2:{}'::coverage + 1);

-- NULLs
SELECT coverage_sum(NULL), coverage_area('1:{}', NULL), coverage_value(NULL, 'POINT(0 0)'), coverage_cell(NULL, 3);
