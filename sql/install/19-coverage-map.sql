-- Fields to look at: a picture, and tiles for maps in a browser.

CREATE FUNCTION coverage_svg(c coverage, regions geography[] DEFAULT NULL, title text DEFAULT NULL, above text DEFAULT NULL, below text DEFAULT NULL)
RETURNS text
AS 'MODULE_PATHNAME' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000;
COMMENT ON FUNCTION coverage_svg(coverage, geography[], text, text, text) IS
'a standalone SVG map of a field: Equal Earth projection (equal-area), of the world or, where the cells that are not zero span at most 140 degrees of longitude, of the part with them; at most seven classes, blue above zero, red below. Of regions, a Polygon or MultiPolygon is drawn as land with a thin outline, a Point or MultiPoint as dots; NULLs are skipped. title stands above the map, above and below are the headings of the legend of values above and below zero. NULL if c is NULL';
