-- coverage_cells_planar: the cells of coverage_cells as they lie on a flat map.
\set QUIET 1
\set ON_ERROR_STOP 1
\pset format unaligned
\pset tuples_only true
BEGIN;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SET client_min_messages = warning;
SELECT plan(14);

CREATE TEMP TABLE flat AS SELECT k, c.* FROM generate_series(0, 4) k, LATERAL coverage_cells_planar(1 + region_coverage('POLYGON EMPTY', k)) c;
SELECT results_eq('SELECT k, cell, value, ST_AsBinary(center) FROM flat ORDER BY 1, 2',
	$$ SELECT k, c.cell, c.value, ST_AsBinary(c.center) FROM generate_series(0, 4) k, LATERAL coverage_cells(1 + region_coverage('POLYGON EMPTY', k)) c ORDER BY 1, 2 $$, 'the rows of coverage_cells');
SELECT is_empty($$ SELECT k, cell, ST_AsText(boundary) FROM flat WHERE ST_SRID(boundary) <> 4326 OR GeometryType(boundary) <> 'MULTIPOLYGON' OR NOT ST_IsValid(boundary) $$, 'boundaries are valid multipolygons');
SELECT is_empty($$ SELECT k, cell FROM flat WHERE ST_XMin(boundary) < -180 OR ST_XMax(boundary) > 180 OR ST_YMin(boundary) < -90 OR ST_YMax(boundary) > 90 $$, 'on the map');
SELECT is_empty($$ SELECT k, cell FROM flat, ST_Dump(boundary) p WHERE ST_XMax(p.geom) - ST_XMin(p.geom) > 90 + 1e-9 OR ST_Area(p.geom) < 1e-6 $$, 'no part is a smear, or a sliver');
SELECT is_empty($$ SELECT k, cell FROM flat WHERE NOT ST_Covers(boundary, center) $$, 'each holds its centre');
-- sides of cells beside each other may have other chords: to one part in a thousand of a cell
SELECT is_empty($$ SELECT k, sum(ST_Area(boundary)) FROM flat GROUP BY k HAVING abs(sum(ST_Area(boundary)) / (360 * 180) - 1) > 1e-4 $$, 'together they fill the map');
SELECT is_empty($$ SELECT k, cell FROM flat WHERE k >= 1 AND abs(ST_Area(ST_Segmentize(boundary, 0.5)::geography) / coverage_cell_area(k) - 1) > 0.002 $$, 'each has the area of a cell');
SELECT results_eq($$ SELECT k, count(*) FROM flat WHERE ST_NumGeometries(boundary) = 2 GROUP BY k ORDER BY k $$,
	-- every other ring of the equatorial belt has a centre on the antimeridian, and so the cells between have corners there
	$$ SELECT k, (2 ^ k)::bigint FROM generate_series(0, 4) k $$, 'those across the antimeridian are cut in two');
SELECT is_empty($$ SELECT k, cell FROM flat WHERE ST_NumGeometries(boundary) = 2 AND NOT (ST_XMax(boundary) = 180 AND ST_XMin(boundary) = -180 AND abs(ST_X(center)) = 180) $$, 'which are those with their centre on it');
SELECT is_empty($$ SELECT k, cell FROM flat JOIN (SELECT k, c.cell, c.boundary AS round FROM generate_series(1, 4) k, LATERAL coverage_cells(1 + region_coverage('POLYGON EMPTY', k)) c) r USING (k, cell)
	WHERE ST_NumGeometries(boundary) = 1 AND ST_YMax(boundary) < 89 AND ST_YMin(boundary) > -89 AND ST_XMax(round::geometry) - ST_XMin(round::geometry) < 180
	AND ST_HausdorffDistance(boundary, round::geometry) > 1e-12 $$, 'all others are as they are on the sphere');
SELECT is(count(*), 40::bigint, 'four cells at each pole') FROM flat WHERE ST_YMax(boundary) = 90 OR ST_YMin(boundary) = -90;
SELECT is_empty($$ SELECT k, sum(ST_Length(ST_Intersection(ST_Boundary(boundary), 'SRID=4326;LINESTRING(-180 90, 180 90)'))) FROM flat WHERE ST_YMax(boundary) = 90 GROUP BY k
	HAVING abs(sum(ST_Length(ST_Intersection(ST_Boundary(boundary), 'SRID=4326;LINESTRING(-180 90, 180 90)'))) - 360) > 1e-6 $$, 'which reach it from edge to edge of the map');
SELECT is_empty('SELECT * FROM coverage_cells_planar(NULL)', 'no row for NULL');
SELECT throws_ok('SELECT swarm_reward_internal.coverage_cell_planar_wkb(3, 768)', '22003', 'cell 768 is out of range for grid order 3', 'a cell that is none');
SELECT * FROM finish();
ROLLBACK;
