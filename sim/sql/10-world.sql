-- The world of a simulation: real cities, countries and measuring points, price levels, kinds of
-- hardware. It is the same for every seed; a run begins in a copy of this database.
\set ON_ERROR_STOP on
SET timezone = 'UTC';
CREATE SCHEMA sim;

-- ---- what a run is asked for ----

CREATE TABLE sim.setting (
	seed int NOT NULL,
	mechanism text NOT NULL,
	start text NOT NULL CHECK (start IN ('mlab', 'empty')),
	epochs int NOT NULL,
	agents int NOT NULL DEFAULT 40,
	liars float8 NOT NULL DEFAULT 0.2,			-- share of the agents who lie
	budget numeric NOT NULL DEFAULT 14000,		-- tokens a month; a token is worth a dollar
	fee float8 NOT NULL DEFAULT 20,				-- dollars that customers pay a month for a million people who have come to use the service
	target float8 NOT NULL DEFAULT 1.2,			-- T: contribution wanted for a million people
	grid_order int NOT NULL DEFAULT 5,
	knobs jsonb NOT NULL DEFAULT '{}'			-- changes of the mechanism's parameters
);

-- ---- numbers that only look random ----

-- In [0, 1): a digest of seed, purpose and two keys. Every "random" number of a simulation is one of these.
CREATE FUNCTION sim.u(purpose text, i bigint, j bigint DEFAULT 0) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT ('x' || left(md5(concat_ws(' ', s.seed, purpose, i, j)), 8))::bit(32)::bigint::float8 / 4294967296 FROM sim.setting s
$$;
-- Near enough normal, mean 0 and deviation 1, without a function of the C library.
CREATE FUNCTION sim.z(purpose text, i bigint, j bigint DEFAULT 0) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT (sim.u(purpose || ' 1', i, j) + sim.u(purpose || ' 2', i, j) + sim.u(purpose || ' 3', i, j) - 1.5) * 2
$$;
CREATE FUNCTION sim.day(t int) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS
$$ SELECT timestamptz '2019-01-01 00:00+00' + (t - 1) * interval '30 days' $$;
CREATE FUNCTION sim.period(t int) RETURNS tstzrange LANGUAGE sql IMMUTABLE AS
$$ SELECT tstzrange(sim.day(t), sim.day(t + 1)) $$;

-- ---- places ----

CREATE TABLE sim.city (
	city_id int PRIMARY KEY, country text NOT NULL, name text NOT NULL, location geography NOT NULL,
	people float8 NOT NULL,			-- millions, at the start
	growth float8 NOT NULL,			-- of demand, a year
	price_level float8 NOT NULL,	-- 1: as in the United States
	metro boolean NOT NULL			-- a metro of M-Lab, where the network of 2019 stands
);
CREATE TEMP TABLE city_csv (geoname_id bigint, name text, country text, population bigint, lon float8, lat float8);
\copy city_csv FROM 'demo/data/cities_100k.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE country_csv (iso2 text, iso3 text, name text, geojson text);
\copy country_csv FROM 'demo/data/countries_110m.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE site_csv (site text, type text, city text, continent text, country text, lat float8, lon float8,
	created date, retired date, machines int, models text, provider text, asn text, uplink text);
\copy site_csv FROM 'demo/data/mlab_sites.csv' (FORMAT csv, HEADER)
CREATE TEMP TABLE price_csv (country text, price_level float8);
\copy price_csv FROM 'sim/data/price_level.csv' (FORMAT csv, HEADER)

-- Where prices are low demand grows fastest: 4 % a year at the level of the United States, 16 % at a quarter of it.
INSERT INTO sim.city
SELECT row_number() OVER (ORDER BY metro, people DESC, c.name, c.country), c.country, c.name, ST_Point(lon, lat, 4326)::geography, people,
	0.04 * least(4, 1 / l.price_level), l.price_level, metro
FROM (SELECT country, name, lon, lat, population / 1e6 AS people, false AS metro
		FROM (SELECT * FROM city_csv ORDER BY population DESC, geoname_id LIMIT :cities) x
	UNION ALL
	SELECT country, min(city), min(lon), min(lat), 0, true FROM site_csv
		WHERE created <= '2019-01-01' AND coalesce(retired, 'infinity') > '2019-01-01' GROUP BY country, city) c
	LEFT JOIN price_csv p ON p.country = c.country, LATERAL (SELECT coalesce(p.price_level, 0.4) AS price_level) l;

INSERT INTO region (code, name, boundary)
SELECT iso2, name, ST_Multi(ST_GeomFromGeoJSON(geojson))::geography FROM country_csv WHERE iso2 IN (SELECT country FROM sim.city);

-- ---- hardware ----

CREATE TABLE sim.kind (
	kind int PRIMARY KEY, name text NOT NULL, cpu numeric NOT NULL, gpu numeric NOT NULL,
	value float8 NOT NULL,		-- contribution: 1 for a unit of cpu, 5 for one of gpu
	capex float8 NOT NULL,		-- dollars
	opex float8 NOT NULL		-- dollars a month at a price level of 1
);
INSERT INTO sim.kind VALUES (1, 'edge', 4, 0, 4, 2000, 70), (2, 'rack', 12, 0, 12, 5500, 180), (3, 'gpu', 2, 2, 12, 9000, 200);
-- power and rent follow the price level, the rest is bought on the world market
CREATE FUNCTION sim.opex(base float8, price_level float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT base * (0.35 + 0.65 * price_level) $$;

INSERT INTO resource_type (code, unit, family) VALUES ('cpu', 'core', 'cpu'), ('gpu', 'GPU', 'gpu');
INSERT INTO service_type (code) VALUES ('compute');
-- measuring points in the metros of M-Lab, and in the larger half of the cities
INSERT INTO beacon (name, location) SELECT name, location FROM sim.city WHERE metro OR city_id <= :cities / 2 ORDER BY city_id;

-- ---- agents and what they have ----

CREATE TABLE sim.agent (
	agent_id int PRIMARY KEY,
	lie text CHECK (lie IN ('place', 'units', 'names', 'flash', 'hop')),	-- NULL: honest
	home int NOT NULL REFERENCES sim.city,
	capital float8 NOT NULL,
	patience int NOT NULL,		-- months at a loss until something is done
	ever boolean NOT NULL DEFAULT false
);
CREATE TABLE sim.machine (
	machine_id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	agent_id int NOT NULL REFERENCES sim.agent,
	kind int NOT NULL REFERENCES sim.kind,
	city int NOT NULL REFERENCES sim.city,		-- where it is
	claimed int NOT NULL REFERENCES sim.city,	-- where it says it is
	scale int NOT NULL DEFAULT 1,				-- upgrades multiply what it has
	since int NOT NULL,							-- first epoch at this place and with these names
	built int NOT NULL,							-- first epoch of the machine
	gone int,									-- first epoch without it
	names int NOT NULL DEFAULT 0,				-- how often it has changed its names
	expected float8,							-- tokens a month that its place promised when it was chosen
	poor int NOT NULL DEFAULT 0					-- months at a loss in a row
);
-- What an epoch sees of a machine: one row for each name it goes by.
CREATE TABLE sim.entry (
	epoch int NOT NULL, node_id bigint NOT NULL, machine_id int NOT NULL, agent_id int NOT NULL, lie text,
	city int NOT NULL, claimed int NOT NULL, seniority int NOT NULL,
	true_value float8 NOT NULL,					-- contribution that is there
	value float8 NOT NULL,						-- contribution that is claimed
	cpu numeric NOT NULL, gpu numeric NOT NULL,	-- claimed
	presence float8 NOT NULL,					-- part of the month
	served float8 NOT NULL DEFAULT 0,			-- millions of people whom it really serves
	customers float8 NOT NULL DEFAULT 0,		-- of them those who have come to use it, and pay
	tokens numeric NOT NULL DEFAULT 0,
	PRIMARY KEY (epoch, node_id)
);
CREATE INDEX ON sim.entry (machine_id);
CREATE TABLE sim.now (		-- fields of the epoch, true ones
	demand coverage, supply coverage, customers coverage,	-- customers: part of the people of a cell who have come to use what is there
	price coverage, fee_price coverage,		-- people whom a unit of supply serves, and of them those whom one more may count on as customers
	 served10 float8, served50 float8, people float8
);
-- What one more machine of a kind would get a month: tokens by the mechanism, dollars by customers.
CREATE TABLE sim.offer (city int, kind int, tokens float8 NOT NULL, fee float8 NOT NULL, PRIMARY KEY (city, kind));
-- What came of earlier expectations, for the honest and for each kind of lie.
CREATE TABLE sim.experience (lie text PRIMARY KEY, factor float8 NOT NULL DEFAULT 1);
INSERT INTO sim.experience VALUES ('honest'), ('place'), ('units'), ('names'), ('flash'), ('hop');
CREATE TABLE sim.income (epoch int, agent_id int, tokens numeric, fees float8, PRIMARY KEY (epoch, agent_id));
CREATE TABLE sim.measure (
	epoch int PRIMARY KEY, nodes int, people float8, served10 float8, served50 float8, paid numeric, to_liars numeric, hhi float8, inequality float8,
	alive int, ever int, volatility float8, true_value float8, conserved boolean
);
