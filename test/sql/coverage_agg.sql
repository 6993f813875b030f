-- Aggregates that make fields, and measures in discs and regions.
SET client_min_messages = warning;
SET search_path = swarm_reward, public;

-- discs: at least the cell that holds the centre
SELECT coverage_agg('POINT(10 50)'::geography, 1);
SELECT coverage_agg('POINT(10 50)'::geography, 1, 2.5);
SELECT coverage_agg('POINT(10 50)'::geography, 300000, 2, 4);
SELECT coverage_agg(l, r, w, 4) FROM (VALUES ('POINT(10 50)'::geography, 300000, 2), ('POINT(12 50)', 300000, 0.5)) v(l, r, w);
SELECT density_agg(l, w, 3) FROM (VALUES ('POINT(10 50)'::geography, 2), ('POINT(10.01 50)', 1), ('POINT(-70 -40)', 0.25)) v(l, w);
SELECT density_agg('POINT(10 50)'::geography, 3);

-- weights are multiples of 2^-16, ties to even
SELECT coverage_agg('POINT(10 50)'::geography, 1, w, 0) FROM (VALUES (0.1::float8), (3 * 2.0::float8 ^ -17), (2.0::float8 ^ -17)) v(w) GROUP BY w ORDER BY w;

-- a weight of zero says something: a field, though an empty one
SELECT coverage_agg('POINT(10 50)'::geography, 1, 0, 3);

-- NULL rows are skipped, no row gives NULL
SELECT coverage_agg(l, r, w, 3) FROM (VALUES ('POINT(10 50)'::geography, 1, 1), (NULL, 1, 1), ('POINT(0 0)', NULL, 1), ('POINT(0 0)', 1, NULL)) v(l, r, w);
SELECT coverage_agg(NULL::geography, 1) IS NULL AS none, density_agg('POINT(0 0)'::geography, NULL) IS NULL AS none;
SELECT coverage_agg(l, 1) IS NULL AS none FROM (SELECT NULL::geography WHERE false) v(l);
SELECT sum(c) IS NULL AS none FROM (SELECT NULL::coverage) v(c);

-- mistakes
SELECT coverage_agg('POINT EMPTY'::geography, 1);
SELECT coverage_agg('LINESTRING(0 0,1 1)'::geography, 1);
SELECT coverage_agg('SRID=4269;POINT(0 0)'::geography, 1);
SELECT coverage_agg(ST_SetSRID(ST_MakePoint('NaN', 0), 4326)::geography, 1);
SELECT coverage_agg('POINT(0 0)'::geography, 0);
SELECT coverage_agg('POINT(0 0)'::geography, -5);
SELECT coverage_agg('POINT(0 0)'::geography, 5000001);
SELECT coverage_agg('POINT(0 0)'::geography, 'NaN');
SELECT coverage_agg('POINT(0 0)'::geography, 'infinity');
SELECT coverage_agg('POINT(0 0)'::geography, 1, -1);
SELECT coverage_agg('POINT(0 0)'::geography, 1, 'NaN');
SELECT coverage_agg('POINT(0 0)'::geography, 1, 'infinity');
SELECT coverage_agg('POINT(0 0)'::geography, 1, 2.0 ^ 37 + 1);
SELECT coverage_agg('POINT(0 0)'::geography, 1, 1, 14);
SELECT coverage_agg('POINT(0 0)'::geography, 1, 1, NULL);
SELECT coverage_agg('POINT(0 0)'::geography, 1, 1, k) FROM generate_series(3, 4) k;
SELECT density_agg('POINT(0 0)'::geography, 2.0 ^ 36, 0) FROM generate_series(1, 3);
SELECT density_agg('POINT(0 0)'::geography, 2.0 ^ 36, 0) FROM generate_series(1, 2);

-- sum of fields
SELECT sum(c) FROM (VALUES ('1:{[0,4)=1.5}'::coverage), (NULL), ('1:{[3,48)=-0.25}')) v(c);
SELECT sum(c) FROM (VALUES ('1:{[0,4)=0.1}'::coverage)) v(c);
SELECT sum(coverage_round(c)) FROM (VALUES ('1:{[0,4)=0.1}'::coverage)) v(c);
SELECT sum(c) FROM (VALUES ('1:{}'::coverage), ('2:{}')) v(c);
SELECT sum(c) FROM (VALUES ('1:{[0,1)=1e12}'::coverage)) v(c);

-- regions
SELECT region_coverage('POLYGON((0 0,40 0,40 40,0 40,0 0))'::geography, 2);
SELECT region_coverage('POLYGON((0 0,0.001 0,0 0.001,0 0))'::geography, 4) AS smaller_than_a_cell;
SELECT region_coverage('MULTIPOLYGON(((0 0,0.001 0,0 0.001,0 0)),((50 50,50.01 50,50 50.01,50 50)))'::geography, 4)
     = region_coverage('POLYGON((50 50,50.01 50,50 50.01,50 50))'::geography, 4) AS largest_part;
-- what has no area has no centroid either: its first vertex stands for it
SELECT r, region_coverage(r::geography, 4) = (SELECT density_agg('POINT(5 5)', 1, 4)) AS first_vertex
FROM unnest(ARRAY['POLYGON((5 5,5 5,5 5,5 5))', 'POLYGON((5 5,6 5,5 5,5 5))', 'MULTIPOLYGON(EMPTY,((5 5,5 6,5 7,5 5)),((6 6,6 6,6 6,6 6)))']) r;
SELECT region_coverage('POLYGON EMPTY'::geography, 4), region_coverage('MULTIPOLYGON EMPTY'::geography, 4);
SELECT region_coverage(NULL, 4) IS NULL AS null_in_null_out;
SELECT region_coverage('POINT(0 0)'::geography, 4);
SELECT region_coverage('GEOMETRYCOLLECTION(POLYGON((0 0,1 0,1 1,0 0)))'::geography, 4);
SELECT region_coverage('POLYGON((10 20,-170 -20,50 50,10 20))'::geography, 4);
SELECT region_coverage('POLYGON((0 0,1 0,1 1,0 0))'::geography, 99);

-- measures in discs and regions
SELECT coverage_sum(c, 'POLYGON((0 0,40 0,40 40,0 40,0 0))') = coverage_sum(c * region_coverage('POLYGON((0 0,40 0,40 40,0 40,0 0))', 5)) AS region,
       coverage_area(c, 'POLYGON((0 0,40 0,40 40,0 40,0 0))') = coverage_area(c * region_coverage('POLYGON((0 0,40 0,40 40,0 40,0 0))', 5)) AS area,
       coverage_sum(c, 'POINT(20 20)', 800000) = coverage_sum(c * coverage_agg('POINT(20 20)'::geography, 800000, 1, 5)) AS disc,
       coverage_sum(c, 'POLYGON EMPTY') AS empty_region
FROM (SELECT coverage_agg(ST_Point(i % 30, i % 37)::geography, 20000 + 7000 * (i % 50), i, 5) FROM generate_series(1, 500) i) v(c)
GROUP BY c;
SELECT coverage_sum('3:{}', 'POINT(20 20)', 0);
SELECT coverage_sum('3:{}', 'POINT EMPTY', 5);
SELECT coverage_area('3:{}', 'POINT(20 20)');

-- round-trip times
SELECT rtt_distance(10) AS m, rtt_distance(0) AS zero, round(service_radius(10)::numeric, 3) AS radius, service_radius(10, 1) = rtt_distance(10) AS straight;
SELECT round(min_rtt('POINT(13.4 52.5)', 'POINT(-74 40.7)')::numeric, 6) AS berlin_new_york,
       min_rtt('POINT(13.4 52.5)', 'POINT(13.4 52.5)') AS here, min_rtt(NULL, 'POINT(0 0)') IS NULL AS null_in;
SELECT abs(rtt_distance(min_rtt('POINT(13.4 52.5)', 'POINT(-74 40.7)')) - ST_Distance('POINT(13.4 52.5)'::geography, 'POINT(-74 40.7)'::geography)) < 1e-6 AS inverse;
SELECT rtt_distance(-1);
SELECT rtt_distance('NaN');
SELECT rtt_distance('infinity');
SELECT service_radius(10, 0.5);
SELECT min_rtt('POINT EMPTY', 'POINT(0 0)');
SELECT min_rtt('LINESTRING(0 0,1 1)', 'POINT(0 0)');
