-- Gaps and sites: small cases, mistakes.
SET client_min_messages = warning;
SET search_path = swarm_reward, public;
SET extra_float_digits = 0;

-- largest deficit first, ties by lowest cell; negative cells and zeros are no gaps
SELECT gap_id, area_m2 / coverage_cell_area(2) AS cells, deficit, ST_AsText(center::geometry, 4) AS center,
       coverage_cell(center, 2) AS cell, GeometryType(boundary::geometry) AS type, ST_NPoints(boundary::geometry) AS points
FROM coverage_gaps('2:{[20,21)=9,[24,25)=-5,[40,41)=3,[56,57)=1.5,[57,58)=1.5,[72,73)=3,[100,101)=9}') g;

-- a ring around a hole, and one filled by a cell that touches it nowhere
SELECT gap_id, area_m2 / coverage_cell_area(3) AS cells, ST_NumGeometries(boundary::geometry) AS parts, ST_NRings(boundary::geometry) AS rings
FROM (SELECT coverage_agg(l, 2500000, 1, 3) - coverage_agg(l, 1400000, 1, 3) + coverage_agg(l, 10, 1, 3) AS f
      FROM (VALUES ('POINT(10 20)'::geography)) v(l)) f, coverage_gaps(f);

-- nothing, everything, NULL
SELECT count(*) FROM coverage_gaps('5:{}');
SELECT count(*) FROM coverage_gaps('5:{[3,9)=-1}');
SELECT gap_id, area_m2 / coverage_cell_area(0) AS cells, deficit, ST_NumGeometries(boundary::geometry) AS parts FROM coverage_gaps('0:{[0,12)=0.5}');
SELECT count(*) FROM coverage_gaps(NULL);
SELECT count(*) FROM coverage_gaps('2:{[0,1)=1}', NULL);

-- deficits are added exactly and rounded once
SELECT deficit = 3145728 * 0.3::float8 AS rounded_once FROM coverage_gaps('9:{[0,3145728)=0.3}');
SELECT count(*), sum(deficit) FROM coverage_gaps('13:{[400000000,400000001)=0.2,[805306367,805306368)=0.1}');

-- gaps: mistakes
SELECT count(*) FROM coverage_gaps('2:{[0,1)=1}', -1);
SELECT count(*) FROM coverage_gaps('2:{[0,1)=1}', 'NaN');
SELECT count(*) FROM coverage_gaps('2:{[0,1)=1}', 'infinity');
SELECT count(*) FROM coverage_gaps('0:{[0,12)=1e308}');
-- every other ring: single cells that touch by corners
SELECT count(*) FROM (
    SELECT ('12:{' || string_agg(format('[%s,%s)=1', s, s + 16384), ',' ORDER BY s) || '}')::coverage AS f
    FROM (SELECT 2 * 4096 * 4095 + i * 32768::bigint AS s FROM generate_series(0, 4095) i) s) f, coverage_gaps(f);

-- sites
SELECT rank, ST_AsText(location::geometry, 4) AS location, gain, remaining
FROM coverage_sites('4:{[100,102)=5,[1000,1010)=1,[2000,2001)=3.5}', 1000000, 5);
SELECT count(*) FROM coverage_sites('4:{}', 1000000, 5);
SELECT count(*) FROM coverage_sites(NULL, 1000000, 5);
SELECT count(*) FROM coverage_sites('4:{}', NULL, 5);
SELECT count(*) FROM coverage_sites('4:{}', 1, NULL);
SELECT rank, gain FROM coverage_sites('13:{[400000000,400000001)=0.1,[805306367,805306368)=0.2}', 1, 3);

-- sites: mistakes
SELECT count(*) FROM coverage_sites('4:{}', 1000000, 0);
SELECT count(*) FROM coverage_sites('4:{}', 0, 1);
SELECT count(*) FROM coverage_sites('4:{}', 'NaN', 1);
SELECT count(*) FROM coverage_sites('4:{}', 5000001, 1);
SELECT count(*) FROM coverage_sites('4:{[7,8)=1,[9,11)=-0.5}', 1000000, 1);
SELECT count(*) FROM coverage_sites('0:{[0,12)=1e308}', 5000000, 1);
