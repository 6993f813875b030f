-- Maps as properties: pictures are well-formed, the same in each run, no larger than they may be,
-- and show areas in proportion; tiles hold just the cells that they show.
\set ON_ERROR_STOP on
BEGIN;
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET search_path = swarm_reward, public;
SELECT plan(22);

CREATE TEMP TABLE country (iso2 text, iso3 text, name text, geojson text);
\copy country FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE land AS SELECT array_agg(ST_GeomFromGeoJSON(geojson)::geography ORDER BY name) AS regions FROM country;

-- a number in [0, 1) from a digest
CREATE FUNCTION pg_temp.u(t text) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT ('x' || left(md5(t), 8))::bit(32)::bigint::float8 / 4294967296 $$;

CREATE TEMP TABLE field AS
SELECT 'noise at order 7' AS name,
       ('7:{' || string_agg(format('[%s,%s)=%s', i, i + 1, round((exp(6 * pg_temp.u(i::text)) - 20)::numeric, 3)), ',' ORDER BY i) || '}')::coverage AS c
FROM generate_series(0, 196607) i
UNION ALL
SELECT 'discs at order 10', coverage_agg(ST_Point(360 * pg_temp.u('x' || i) - 180, degrees(asin(2 * pg_temp.u('y' || i) - 1)), 4326)::geography,
                                         20000 + 300000 * pg_temp.u('r' || i), 1 + i % 7, 10)
FROM generate_series(1, 20000) i
UNION ALL
SELECT 'specks at order 10', density_agg(ST_Point(360 * pg_temp.u('x' || i) - 180, degrees(asin(2 * pg_temp.u('y' || i) - 1)), 4326)::geography, i, 10)
FROM generate_series(1, 200000) i
UNION ALL
SELECT 'a town at order 13', coverage_agg(ST_Point(13.4 + 0.02 * i, 52.5, 4326)::geography, 3000, i, 13) FROM generate_series(1, 9) i
UNION ALL
SELECT 'both poles', coverage_agg(p, 2500000, w, 8) FROM (VALUES ('POINT(0 90)'::geography, 1), ('POINT(0 -90)', 2)) v(p, w)
UNION ALL
SELECT 'everything', '5:{}'::coverage + 3;

CREATE TEMP TABLE picture AS SELECT name, c, coverage_svg(c, regions, name) AS svg FROM field, land;
-- XML as far as a map needs it: what is left when its elements are taken out, from the inside
CREATE FUNCTION pg_temp.remains(xml text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before text;
BEGIN
	IF xml ~ '[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]' THEN
		RETURN 'a character that XML does not have';
	END IF;
	xml := regexp_replace(xml, '&(amp|lt|gt|#\d+);', '', 'g');
	LOOP
		before := xml;
		xml := regexp_replace(xml, '<(\w+)(\s+[\w:-]+="[^"<&]*")*(/>|>[^<&]*</\1>)\s*', '', 'g');
		EXIT WHEN xml = before;
	END LOOP;
	RETURN xml;
END $$;
SELECT is(max(pg_temp.remains(svg)), '', 'each picture is well-formed XML') FROM picture;
SELECT is(max(pg_temp.remains(coverage_svg('3:{[0,4)=-1.5,[10,11)=2}', NULL, t, t, t))), '', 'with any character in its texts')
FROM (SELECT '&"''<>]]>' || string_agg(chr(i), '') FROM generate_series(1, 66000) i WHERE i NOT BETWEEN 55296 AND 57343) v(t);
SELECT is(count(*), 0::bigint, 'and the same when it is drawn again') FROM picture, land WHERE svg <> coverage_svg(c, regions, name);
SELECT cmp_ok(max(length(svg)), '<', 1500000, name || ' takes less than 1.5 MB') FROM picture WHERE name ~ 'noise|everything' GROUP BY name ORDER BY name;
SELECT cmp_ok(max(length(svg)), '<', 2000000, 'no picture takes 2 MB') FROM picture;
SELECT ok(bool_and(svg !~* 'nan|inf[^o]'), 'no coordinate is anything but a number') FROM picture;
SELECT ok(svg ~ '-frame" d="M100 440h11800v', name || ' is a part of the Earth') FROM picture WHERE name ~ 'town';
SELECT ok(svg ~ '-frame" d="M2510 450l', name || ' is the Earth') FROM picture WHERE name ~ 'poles';

-- areas: of the shapes in a path, none of which has a hole
CREATE FUNCTION pg_temp.path_area(d text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	part text;
	n numeric[];
	x numeric; y numeric;
	area numeric := 0;
	total numeric := 0;
BEGIN
	FOREACH part IN ARRAY regexp_split_to_array(trim(trailing 'z' FROM d), 'z') LOOP
		SELECT array_agg(m[1]::numeric ORDER BY i) INTO n FROM regexp_matches(part, '-?\d+', 'g') WITH ORDINALITY r(m, i);
		x := 0; y := 0; area := 0;
		FOR i IN 3..cardinality(n) BY 2 LOOP
			area := area + x * n[i + 1] - y * n[i];
			x := x + n[i]; y := y + n[i + 1];
		END LOOP;
		total := total + abs(area) / 2;
	END LOOP;
	RETURN total;
END $$;
CREATE TEMP TABLE apart AS
SELECT f, coverage_svg(f) AS svg
FROM (SELECT coverage_agg(ST_Point(40 * i, 25 * i, 4326)::geography, 900000, 1, 8) AS f FROM generate_series(-3, 3) i) v;
SELECT cmp_ok(abs(pg_temp.path_area((regexp_match(svg, '<path fill="#3282b6" d="([^"]*)"'))[1])
	/ pg_temp.path_area((regexp_match(svg, '-frame" d="([^"]*)"'))[1])
	/ (coverage_area(f) / coverage_cell_area(0) / 12) - 1), '<', 0.01::float8, 'what is drawn has its share of the map''s area') FROM apart;

-- a region is drawn where it is: its area as land
SELECT cmp_ok(abs(pg_temp.path_area((regexp_match(svg, '-land" d="([^"]*)"'))[1])
	/ pg_temp.path_area((regexp_match(svg, '-frame" d="([^"]*)"'))[1])
	/ (ST_Area(g, false) / (4 * pi() * 6371008.7714 ^ 2)) - 1), '<', 0.02::float8, name || ' has its share of the map''s area as land')
FROM (SELECT name, g, coverage_svg('3:{}', ARRAY[g]) AS svg
      FROM (SELECT name, ST_GeomFromGeoJSON(geojson)::geography AS g FROM country WHERE name IN ('Antarctica', 'Brazil')) c) v
ORDER BY name;

-- tiles: protocol buffers, as far as needed
CREATE FUNCTION pg_temp.varint(b bytea, INOUT at int, OUT v bigint) LANGUAGE plpgsql AS $$
DECLARE
	shift int := 0;
BEGIN
	v := 0;
	LOOP
		v := v | ((get_byte(b, at) & 127)::bigint << shift);
		shift := shift + 7;
		at := at + 1;
		EXIT WHEN get_byte(b, at - 1) < 128;
	END LOOP;
END $$;
CREATE FUNCTION pg_temp.fields(b bytea) RETURNS TABLE (field int, n bigint, bytes bytea) LANGUAGE plpgsql AS $$
DECLARE
	at int := 0;
	tag bigint;
BEGIN
	WHILE at < length(b) LOOP
		SELECT r.at, r.v INTO at, tag FROM pg_temp.varint(b, at) r;
		field := tag >> 3;
		n := NULL; bytes := NULL;
		CASE tag & 7
			WHEN 0 THEN SELECT r.at, r.v INTO at, n FROM pg_temp.varint(b, at) r;
			WHEN 1 THEN bytes := substr(b, at + 1, 8); at := at + 8;
			WHEN 2 THEN SELECT r.at, r.v INTO at, n FROM pg_temp.varint(b, at) r; bytes := substr(b, at + 1, n::int); at := at + n::int;
		END CASE;
		RETURN NEXT;
	END LOOP;
END $$;

CREATE TEMP TABLE small AS SELECT ('5:{}'::coverage + 1) - region_coverage('POLYGON((20 10,60 10,60 50,20 50,20 10))', 5) AS f;
CREATE TEMP TABLE tile AS
SELECT z, x, y, coverage_tile(f, z, x, y) AS mvt, ST_TileEnvelope(z, x, y) AS envelope
FROM small, generate_series(0, 3) z, generate_series(0, (1 << z) - 1) x, generate_series(0, (1 << z) - 1) y;
CREATE TEMP TABLE layer AS
SELECT z, x, y, l.* FROM tile, pg_temp.fields(mvt) t, pg_temp.fields(t.bytes) l;
CREATE TEMP TABLE feature AS
SELECT z, x, y, i.n AS cell FROM layer l, pg_temp.fields(l.bytes) i WHERE l.field = 2 AND i.field = 1;

SELECT is(array_agg(DISTINCT convert_from(bytes, 'utf8')), ARRAY['coverage'], 'the layer is called coverage') FROM layer WHERE field = 1;
SELECT is(array_agg(DISTINCT convert_from(bytes, 'utf8')), ARRAY['grid_order', 'share', 'value'], 'its features have value, share and grid_order') FROM layer WHERE field = 3;
SELECT is(array_agg(DISTINCT (field, n)::text ORDER BY (field, n)::text), ARRAY['(15,2)', '(5,4096)'], 'extent 4096, version 2') FROM layer WHERE field IN (5, 15);

-- by PostGIS's own transformation, of cells away from the antimeridian and the ends of the Mercator map
CREATE TEMP TABLE cell AS
SELECT cell, center, ST_Transform(boundary::geometry, 3857) AS shape FROM small, coverage_cells(f)
WHERE abs(ST_X(center::geometry)) < 170 AND abs(ST_Y(center::geometry)) < 75;
CREATE TEMP TABLE expected AS
SELECT z, x, y, cell, ST_Area(ST_Intersection(shape, envelope)) / ST_Area(shape) AS part
FROM tile JOIN cell ON ST_Intersects(shape, ST_Expand(envelope, (ST_XMax(envelope) - ST_XMin(envelope)) / 64))
WHERE z > 0;
SELECT cmp_ok(count(*), '>', 20000::bigint, 'there are many cells to look for') FROM expected WHERE part > 0.001;
SELECT is(count(*), 0::bigint, 'each tile holds every cell that it shows')
FROM expected LEFT JOIN feature f USING (z, x, y, cell) WHERE part > 0.001 AND f.cell IS NULL;
SELECT is(count(*), 0::bigint, 'and none but those in it or its buffer')
FROM feature f JOIN cell USING (cell) LEFT JOIN expected e USING (z, x, y, cell) WHERE z > 0 AND e.cell IS NULL;
SELECT cmp_ok(count(*), '>', 0::bigint, 'a cell on the antimeridian appears at both edges of the map')
FROM (SELECT cell FROM feature WHERE z = 1 AND x = 0 INTERSECT SELECT cell FROM feature WHERE z = 1 AND x = 1) both_edges
JOIN small ON true, LATERAL ST_GeogFromWKB(swarm_reward_internal.coverage_cell_center_wkb(5, cell)) c WHERE abs(ST_X(c::geometry)) > 178;
SELECT is(count(*), 0::bigint, 'a cell that a tile''s eastern edge cuts is in both tiles')
FROM expected e JOIN feature a USING (z, x, y, cell) LEFT JOIN feature b ON (b.z, b.x, b.y, b.cell) = (e.z, e.x + 1, e.y, e.cell)
WHERE e.part BETWEEN 0.01 AND 0.99 AND e.x + 1 < 1 << e.z AND b.cell IS NULL
	AND EXISTS (SELECT FROM expected n WHERE (n.z, n.x, n.y, n.cell) = (e.z, e.x + 1, e.y, e.cell) AND n.part > 0.001);

-- means: what is shown at a lower order holds what is there at the field's own
SELECT is(round(sum(value * share * 4 ^ (10 - grid_order))), (SELECT round(coverage_sum(c)) FROM field WHERE name = 'specks at order 10'),
          'value * share adds up to the field')
FROM (SELECT DISTINCT cell, grid_order, value, share
      FROM field, swarm_reward_internal.coverage_tile_cells(c, 0, 0, 0) WHERE name = 'specks at order 10') v;
SELECT cmp_ok(max(length(coverage_tile(c, z, x, y))), '<', 500000, 'no tile takes 500 kB')
FROM field, (VALUES (0, 0, 0), (1, 0, 0), (2, 1, 1), (2, 0, 2), (3, 3, 3), (4, 8, 8), (6, 33, 31)) v(z, x, y);

SELECT * FROM finish();
ROLLBACK;
