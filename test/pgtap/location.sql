-- What is a place: whatever a geography may hold, is_location answers and raises no error.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL search_path = swarm_reward_internal, public;
SELECT plan(13);
SELECT is(is_location(g::geography), wanted, g)
FROM (VALUES ('POINT(0 0)', true), ('POINT(-180 -90)', true), ('POINT Z (8 47 400)', true), ('POINT M (8 47 1)', true), ('POINT EMPTY', false),
	('LINESTRING(0 0, 1 1)', false), ('POLYGON((0 0,1 0,1 1,0 0))', false), ('POLYGON EMPTY', false), ('MULTIPOINT(1 1)', false),
	('GEOMETRYCOLLECTION(POINT(1 1))', false), ('GEOMETRYCOLLECTION EMPTY', false)) v (g, wanted);
SELECT is(is_location(ST_MakePoint('NaN', 1)::geography), false, 'NaN is nowhere');
SELECT is(is_location(NULL), NULL, 'NULL');
SELECT * FROM finish();
ROLLBACK;
