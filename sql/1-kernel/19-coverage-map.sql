-- Fields to look at: a picture, and tiles for maps in a browser.

CREATE FUNCTION coverage_svg(c coverage, regions geography[] DEFAULT NULL, title text DEFAULT NULL, above text DEFAULT NULL, below text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION coverage_svg(coverage, geography[], text, text, text) IS
'a standalone SVG map of a field: Equal Earth projection (equal-area), of the world or, where the cells that are not zero span at most 140 degrees of longitude, of the part with them; at most seven classes, blue above zero, red below. Of regions, a Polygon or MultiPolygon is drawn as land with a thin outline, a Point or MultiPoint as dots; NULLs are skipped. title stands above the map, above and below are the headings of the legend for values above and below zero, the latter''s numbers being shown without their sign under a heading. What is too fine for the picture is drawn as the mean of the cells that are not zero, on a grid that keeps the text below 2 MB. NULL if c is NULL';

CREATE FUNCTION coverage_tile_cells(c coverage, z integer, x integer, y integer,
    OUT cell bigint, OUT grid_order integer, OUT value float8, OUT share float8, OUT boundary bytea)
RETURNS SETOF record
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 ROWS 3000;
COMMENT ON FUNCTION coverage_tile_cells(coverage, integer, integer, integer) IS
'the cells that are not zero in and around a Web Mercator tile z/x/y (z 0 to 24), of the field''s grid order or z + 4 if that is lower: value is the mean of the field''s cells in it that are not zero, share the part of the cell that they cover, boundary WKB in EPSG:3857. Cells on the antimeridian come once for each side of it that the tile shows';

CREATE FUNCTION checked_tile_zoom(z integer, x integer, y integer) RETURNS integer
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION checked_tile_zoom(integer, integer, integer) IS
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
