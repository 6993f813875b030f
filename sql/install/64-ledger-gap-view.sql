-- What is still missing, as places. The region is region_of(center), written out:
-- who may read the view need not have a right to the table region, which a function would ask for.

CREATE VIEW coverage_gap AS
SELECT e.epoch_id, e.period, e.status, g.gap_id,
	s.codes[covering_region(s.boundaries, g.center)] AS region,
	g.area_m2, g.deficit, g.center::geography(Point, 4326) AS center, g.boundary::geography(MultiPolygon, 4326) AS boundary
FROM epoch e
	JOIN policy p ON p.policy_id = e.policy_id
	CROSS JOIN (SELECT array_agg(r.code ORDER BY r.area, r.code) AS codes, array_agg(r.boundary ORDER BY r.area, r.code) AS boundaries
		FROM (SELECT x.code, x.boundary, region_area(x.boundary) AS area FROM region x) r) s
	CROSS JOIN LATERAL coverage_gaps(gap_field(e.demand, e.closing_supply, p.supply_target::double precision)) g
WHERE e.status IN ('computed', 'final');
COMMENT ON VIEW coverage_gap IS 'where demand is left unserved at the close of each computed epoch: the connected parts of G = D * max(0, 1 - S1 / T), see coverage_gaps. Drawn from the frozen fields whenever it is read, so name an epoch_id';
COMMENT ON COLUMN coverage_gap.epoch_id IS 'the epoch';
COMMENT ON COLUMN coverage_gap.period IS 'its period';
COMMENT ON COLUMN coverage_gap.status IS 'computed (may still change) or final';
COMMENT ON COLUMN coverage_gap.gap_id IS 'number within the epoch, from 1, largest deficit first; the same gap may have another one in the next epoch';
COMMENT ON COLUMN coverage_gap.region IS 'code of the smallest region that covers the center today, ties by code; NULL: none. A gap may reach into others';
COMMENT ON COLUMN coverage_gap.area_m2 IS 'its area, square metres';
COMMENT ON COLUMN coverage_gap.deficit IS 'demand in it that is not served, in the unit of demand.weight; those of an epoch add up to all that is left unserved';
COMMENT ON COLUMN coverage_gap.center IS 'centre of a cell of the gap, as deep inside as any';
COMMENT ON COLUMN coverage_gap.boundary IS 'its outline along the edges of cells';
