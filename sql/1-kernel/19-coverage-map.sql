-- Fields to look at: a picture, and tiles for maps in a browser.

CREATE FUNCTION swarm_reward_internal.coverage_svg_shapes(c coverage, regions geography[], top integer, OUT what text, OUT number float8, OUT path text)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 15;
COMMENT ON FUNCTION swarm_reward_internal.coverage_svg_shapes(coverage, geography[], integer) IS
'what a map of a field is drawn from, in a frame whose upper edge lies at top in the view box. Path data, in tenths of its units: frame, land, dots, and the classes below and above zero with the number at which they begin, from zero outwards. Numbers: cells, how many are not zero, and the least and the greatest of their values; height, the frame''s; grid_order, of the grid that the field is drawn on; meridian, the central one in degrees';

CREATE FUNCTION swarm_reward_internal.coverage_svg_text(t text) RETURNS text
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(replace(replace(replace(t, '&', '&amp;'), '<', '&lt;'), '>', '&gt;') COLLATE "C",
                      '[\x01-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]', '&#65533;', 'g');
COMMENT ON FUNCTION swarm_reward_internal.coverage_svg_text(text) IS
'a text as XML: control characters, U+FFFE and U+FFFF, which XML does not have, become U+FFFD';

CREATE FUNCTION swarm_reward_internal.coverage_svg_line(t text, x integer, y integer, most integer, width float8) RETURNS text
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN t <> '' THEN
    format(E'<text x="%s" y="%s" font-size="%s" font-weight="600" unicode-bidi="plaintext">%s</text>\n', x, y,
           -- a letter of three bytes is taken for one of double width
           least(most, greatest(8, floor(width / (0.62 * greatest(length(t), octet_length(t) * 2 / 3))))), coverage_svg_text(t))
    ELSE '' END;
COMMENT ON FUNCTION swarm_reward_internal.coverage_svg_line(text, integer, integer, integer, float8) IS
'a line of bold text of size most, or smaller so that it is no wider than about width, but no smaller than 8';

CREATE FUNCTION swarm_reward_internal.coverage_svg_number(v float8) RETURNS text
LANGUAGE SQL IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN n.x = 0 THEN '0'
        WHEN n.e BETWEEN -4 AND 3 THEN trim_scale(round(n.x, 3 - n.e))::text
        WHEN n.e BETWEEN 4 AND 11 THEN regexp_replace(round(n.x)::text, '(\d)(?=(\d{3})+$)', '\1&#8239;', 'g')
        ELSE regexp_replace(ltrim(to_char(round(n.x, 2 - n.e), '9.99EEEE')), '\.?0*e', 'e') END
    FROM (SELECT v::numeric AS x, floor(log(abs(nullif(v::numeric, 0))))::integer AS e) n;
END;
COMMENT ON FUNCTION swarm_reward_internal.coverage_svg_number(float8) IS
'a number for people, as XML: four digits, or all those before the point in groups of three';

CREATE FUNCTION coverage_svg(c coverage, regions geography[] DEFAULT NULL, title text DEFAULT NULL, above text DEFAULT NULL, below text DEFAULT NULL)
RETURNS text
LANGUAGE SQL IMMUTABLE PARALLEL SAFE COST 100000
BEGIN ATOMIC
    WITH shape AS MATERIALIZED (
        SELECT s.what, s.number, s.path
        FROM coverage_svg_shapes(c, coalesce(regions, '{}'), CASE WHEN title <> '' THEN 44 ELSE 10 END) s
    ), map AS (
        SELECT max(path) FILTER (WHERE what = 'frame') AS frame, max(path) FILTER (WHERE what = 'land') AS land, max(path) FILTER (WHERE what = 'dots') AS dots,
               max(number) FILTER (WHERE what = 'cells') AS cells, max(number) FILTER (WHERE what = 'least') AS least, max(number) FILTER (WHERE what = 'greatest') AS greatest,
               max(number) FILTER (WHERE what = 'meridian') AS meridian, max(number) FILTER (WHERE what = 'grid_order') AS grid_order,
               max(number) FILTER (WHERE what = 'height') + CASE WHEN title <> '' THEN 82 ELSE 48 END AS foot,
               'c' || substr(encode(sha256(convert_to(string_agg(path, '' ORDER BY what, number), 'UTF8')), 'hex'), 1, 8) AS id,
               CASE WHEN bool_or(what = 'below') THEN 606 ELSE 14 END AS above_x
        FROM shape
    ), class AS (
        -- of n classes of a sign the i-th, from zero outwards
        SELECT s.what, s.number, s.path, row_number() OVER w - 1 AS i, count(*) OVER (PARTITION BY s.what) AS n
        FROM shape s
        WHERE s.what IN ('above', 'below')
        WINDOW w AS (PARTITION BY s.what ORDER BY s.number)
    ), drawn AS (
        SELECT k.*,
               -- the legend runs from the least to the greatest number
               CASE k.what WHEN 'above' THEN m.above_x + k.i * 80 ELSE 14 + (k.n - 1 - k.i) * 80 END AS x,
               (CASE k.what WHEN 'above' THEN '{#a6dbcf,#74c1ca,#41a6c4,#3282b6,#225ea8,#173f82,#0c1f5c}'
                            ELSE '{#fdcc8a,#fdad72,#fc8d59,#ea5f3c,#d7301f,#a31810,#6e0000}' END::text[])[CASE k.n WHEN 1 THEN 4 ELSE 1 + round(6.0 * k.i / (k.n - 1)) END] AS color
        FROM class k, map m
    )
    SELECT format(E'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1200 %1$s" role="img" aria-labelledby="%2$s-title %2$s-desc" '
                  'font-family="system-ui,''Segoe UI'',''DejaVu Sans'',Helvetica,Arial,sans-serif" font-size="13" fill="#1f2933">\n', m.foot + 50, m.id)
        || format(E'<title id="%1$s-title">%2$s</title>\n<desc id="%1$s-desc">A field of grid order %3$s: %4$s of %5$s cells are not zero%6$s. '
                  'Equal Earth projection, central meridian %7$s; areas are true. Drawn on a grid of order %8$s: what is finer is drawn as the mean of the cells that are not zero.</desc>\n',
                  m.id, coalesce(nullif(coverage_svg_text(title), ''), 'Map of a coverage field'), coverage_order(c), m.cells, 12 * 4 ^ coverage_order(c),
                  CASE WHEN m.cells > 0 THEN ', from ' || coverage_svg_number(m.least) || ' to ' || coverage_svg_number(m.greatest) ELSE '' END,
                  coverage_svg_number(m.meridian), m.grid_order)
        || E'<rect width="100%" height="100%" fill="#fff"/>\n'
        || coalesce(coverage_svg_line(title, 14, 30, 20, 1172), '')
        || format(E'<defs>\n<path id="%1$s-frame" d="%2$s"/>\n<path id="%1$s-land" d="%3$s"/>\n<path id="%1$s-dots" d="%4$s"/>\n<clipPath id="%1$s-clip"><use href="#%1$s-frame"/></clipPath>\n</defs>\n'
                  '<g transform="scale(.1)" fill-rule="evenodd" stroke-linejoin="round" stroke-linecap="round">\n<g clip-path="url(#%1$s-clip)">\n'
                  '<use href="#%1$s-frame" fill="#e3eaf0"/>\n<use href="#%1$s-land" fill="#fff"/>\n', m.id, m.frame, m.land, m.dots)
        -- a class lies on those nearer to zero, so that no seams show
        || (SELECT coalesce(string_agg(format(E'<path fill="%s" d="%s"/>\n', d.color, d.path), '' ORDER BY d.what DESC, d.i), '') FROM drawn d)
        || format(E'<use href="#%1$s-land" fill="none" stroke="#7b8794" stroke-width="5"/>\n<use href="#%1$s-dots" fill="none" stroke="#fff" stroke-width="46"/>\n'
                  '<use href="#%1$s-dots" fill="none" stroke="#14213d" stroke-width="30"/>\n</g>\n<use href="#%1$s-frame" fill="none" stroke="#7b8794" stroke-width="10"/>\n</g>\n', m.id)
        || CASE WHEN m.cells = 0 THEN format(E'<text x="14" y="%s">no cell but zero</text>\n', m.foot) ELSE '' END
        || coalesce((SELECT string_agg(coverage_svg_line(CASE d.what WHEN 'above' THEN above ELSE below END, d.x::integer, m.foot::integer, 13, CASE WHEN m.above_x > 14 THEN 566 ELSE 1172 END), '' ORDER BY d.x)
           FROM drawn d WHERE d.i = CASE d.what WHEN 'above' THEN 0 ELSE d.n - 1 END), '')
        -- a number stands below the line where its class begins; under a heading it needs no minus sign
        || coalesce((SELECT string_agg(format(E'<rect x="%s" y="%s" width="80" height="14" fill="%s"/>\n', d.x, m.foot + 8, d.color)
              || CASE WHEN d.number = 0 THEN ''
                 ELSE format(E'<text x="%s" y="%s" text-anchor="%s">%s%s</text>\n', CASE d.what WHEN 'above' THEN d.x ELSE d.x + 80 END, m.foot + 38,
                             CASE WHEN d.i > 0 THEN 'middle' WHEN d.what = 'above' THEN 'start' ELSE 'end' END,
                             CASE WHEN d.what = 'below' AND coalesce(below, '') = '' THEN '&#8722;' ELSE '' END, coverage_svg_number(d.number)) END, '' ORDER BY d.x)
              FROM drawn d), '')
        || E'</svg>\n'
    FROM map m
    WHERE c IS NOT NULL;
END;
COMMENT ON FUNCTION coverage_svg(coverage, geography[], text, text, text) IS
'a standalone SVG map of a field: Equal Earth projection (equal-area), of the world or, where the cells that are not zero span at most 140 degrees of longitude, of the part with them; at most seven classes each, blue above zero and red below. Of regions, a Polygon or MultiPolygon is drawn as land with a thin outline, as the cells that it covers, a Point or MultiPoint as dots; NULLs are skipped. title stands above the map, above and below are the headings of the legend for values above and below zero, the latter''s numbers being shown without their sign under a heading; characters that XML does not have become U+FFFD. What is too fine for the picture is drawn as the mean of the cells that are not zero, on a grid that keeps the text below 2 MB. NULL if c is NULL';

CREATE FUNCTION swarm_reward_internal.coverage_tile_cells(c coverage, z integer, x integer, y integer,
    OUT cell bigint, OUT grid_order integer, OUT value float8, OUT share float8, OUT boundary bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 3000;
COMMENT ON FUNCTION swarm_reward_internal.coverage_tile_cells(coverage, integer, integer, integer) IS
'the cells that are not zero in and around a Web Mercator tile z/x/y (z 0 to 24), of the field''s grid order or z + 4 if that is lower: value is the mean of the field''s cells in it that are not zero, share the part of the cell that they cover, boundary WKB in EPSG:3857. Cells on the antimeridian come once for each side of it that the tile shows';

CREATE FUNCTION swarm_reward_internal.checked_tile_zoom(z integer, x integer, y integer) RETURNS integer
AS 'MODULE_PATHNAME', 'sr_checked_tile_zoom' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION swarm_reward_internal.checked_tile_zoom(integer, integer, integer) IS
'z, where there is a Web Mercator tile z/x/y; NULL if an argument is NULL. Errors: a zoom not from 0 to 24, x or y not from 0 to 2^z - 1';

CREATE FUNCTION coverage_tile(c coverage, z integer, x integer, y integer) RETURNS bytea
LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE COST 100000
BEGIN ATOMIC
    SELECT coalesce(ST_AsMVT(feature, 'coverage', 4096, 'geom', 'cell'), '')
    FROM (
        SELECT t.cell, t.grid_order, t.value, t.share,
               ST_AsMVTGeom(ST_GeomFromWKB(t.boundary, 3857), ST_TileEnvelope(checked_tile_zoom(z, x, y), x, y), 4096, 64, true) AS geom
        FROM coverage_tile_cells(c, z, x, y) t) feature
    WHERE geom IS NOT NULL;
END;
COMMENT ON FUNCTION coverage_tile(coverage, integer, integer, integer) IS
'a Mapbox vector tile (MVT 2.1) of a field, for the Web Mercator tile z/x/y (z 0 to 24, x from the west, y from the north): one layer coverage, extent 4096, buffer 64, one polygon for each cell that is not zero, its number as the feature''s id, with value, share and grid_order as coverage_tile_cells has them. Empty where nothing is; NULL if an argument is NULL';
