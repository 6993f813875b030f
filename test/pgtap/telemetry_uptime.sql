-- uptime with a timeout against plain SQL, slot by slot; sum(telemetry_summary) against rollup.
\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = swarm_reward, public;
SET LOCAL timezone = 'UTC';
SELECT plan(21);

-- Slots that end on minutes, that do not, and single microseconds; nodes that beat often, seldom, in bursts and with errors.
CREATE TABLE kind (kind int, slot interval, step interval, beats int);
INSERT INTO kind VALUES
    (0, '1 minute', '37 s', 300), (1, '7 s', '11 s', 300), (2, '1 hour', '50 min', 200), (3, '13 min 0.7 s', '9 min', 200),
    (4, '00:00:00.000001', '00:00:00.000003', 200), (5, '1 day', '1 day 1 h', 40);
CREATE TABLE beat AS
SELECT kind, slot, step, timestamptz '1999-12-31 23:00+00' + i * step + mod(i * 0.618033988749895, 1) * step AS at,
       mod(i * 0.7548776662466927, 1) > 0.2 AS ok
FROM kind, generate_series(1, beats) i
-- gaps of many lengths, and long runs
WHERE mod(i / 20 * 0.414213562373095, 1) > 0.3 AND mod(i * i * 0.5698402909980532, 1) > mod(i / 50 * 0.3, 1);
CREATE TABLE summary AS SELECT kind, slot, step, telemetry_agg(at, NULL, ok, slot) AS s FROM beat GROUP BY kind, slot, step;

-- periods within the beats, over their ends, of one slot, and before them all
CREATE TABLE period AS
SELECT kind, tstzrange(a, a + length, bounds) AS period
FROM kind, LATERAL (VALUES (interval '-40 min' * CASE WHEN kind = 4 THEN 0 ELSE 1 END), (20 * step), (50 * step + slot / 3), (350 * step)) f(shift),
     LATERAL (VALUES (30 * step), (slot), (150 * step)) l(length),
     LATERAL (SELECT timestamptz '1999-12-31 23:00+00' + shift) s(a),
     (VALUES ('[)'), ('(]'), ('[]'), ('()')) b(bounds);

-- Start of a slot, and the slots of a period, in whole microseconds since the Unix epoch.
CREATE FUNCTION pg_temp.us(t timestamptz) RETURNS numeric LANGUAGE sql AS 'SELECT EXTRACT(epoch FROM t) * 1000000';
CREATE FUNCTION pg_temp.us(i interval) RETURNS numeric LANGUAGE sql AS 'SELECT EXTRACT(epoch FROM i) * 1000000';
CREATE TABLE ok_slot AS
SELECT DISTINCT kind, floor(pg_temp.us(at) / pg_temp.us(slot)) AS n FROM beat WHERE ok;
CREATE INDEX ON ok_slot (kind, n);

-- The definition: a slot that starts in the period counts when it is up, or one that starts less than the timeout before it.
CREATE FUNCTION pg_temp.oracle(k int, slot_us numeric, period tstzrange, timeout_us numeric) RETURNS float8 LANGUAGE sql AS $$
    SELECT count(*) FILTER (WHERE EXISTS (
               SELECT FROM ok_slot up WHERE up.kind = k AND (up.n = here.n OR (up.n < here.n AND (here.n - up.n) * slot_us < timeout_us))))::float8
           / nullif(count(*), 0)
    FROM generate_series(floor(pg_temp.us(lower(period)) / slot_us) - 1, ceil(pg_temp.us(upper(period)) / slot_us) + 1) AS here(n)
    WHERE period @> timestamptz '1970-01-01 00:00+00' + (here.n * slot_us)::bigint * interval '1 microsecond'
$$;
CREATE TABLE asked AS
SELECT kind, slot, p.period, timeout, want, uptime(s, p.period, timeout) AS got, uptime(s, p.period) AS plain
FROM period p JOIN summary USING (kind),
     LATERAL (VALUES (interval '0'), (interval '1 microsecond'), (slot), (slot + interval '1 microsecond'), (2 * slot), (2.5 * slot),
                     (3 * step), (20 * step), (interval '10 days')) t(timeout),
     LATERAL (SELECT pg_temp.oracle(kind, pg_temp.us(slot), p.period, pg_temp.us(timeout)) OFFSET 0) o(want)
WHERE want IS NOT NULL;
SELECT cmp_ok(count(*), '>', 1500::bigint, 'many slots, periods and timeouts are asked for') FROM asked;
SELECT cmp_ok(count(*) FILTER (WHERE got > plain AND got < 1), '>', 300::bigint, 'and the timeout makes a difference') FROM asked;
SELECT is_empty('SELECT * FROM asked WHERE got <> want', 'uptime with a timeout is the share by its definition, to the bit');
SELECT is_empty('SELECT * FROM asked WHERE timeout <= slot AND got <> plain', 'a timeout of up to one slot changes nothing');
SELECT is_empty($$SELECT FROM asked a JOIN asked b USING (kind, period) WHERE a.timeout < b.timeout AND a.got > b.got$$,
                'a longer one never gives less');

-- what it is for
SELECT ok(uptime(s, '[2026-01-01 00:10, 2026-01-02)') BETWEEN 0.98 AND 0.99 AND uptime(s, '[2026-01-01 00:10, 2026-01-02)', '2 minutes') = 1,
          'a heartbeat every 61 seconds is no downtime')
FROM (SELECT telemetry_agg('2026-01-01'::timestamptz + i * interval '61 s', 1, true) AS s FROM generate_series(0, 1500) i) x;
SELECT ok(uptime(s, '[2026-01-01, 2026-01-02)') < 0.11 AND uptime(s, '[2026-01-01, 2026-01-02)', '15 minutes') = 1,
          'nor is one every 10 minutes, with a timeout of 15')
FROM (SELECT telemetry_agg('2026-01-01'::timestamptz + i * interval '10 min', 1, true) AS s FROM generate_series(0, 200) i) x;
SELECT is(uptime(s, '[2026-01-01 12:00, 2026-01-01 13:00)', '15 minutes'), 14 / 60::float8, 'evidence from before the period counts')
FROM (SELECT telemetry_agg('2026-01-01 11:59', 1, true) AS s) x;
SELECT is(uptime(s, '[2026-01-01 12:00, 2026-01-01 13:00)', '15 minutes'), 0::float8, 'what comes after a slot does not')
FROM (SELECT telemetry_agg('2026-01-01 13:00', 1, true) AS s) x;
SELECT is(uptime(s, '[2026-01-01 12:00, 2026-01-01 13:00)', '15 minutes'), 0::float8, 'a sample that is not ok does not')
FROM (SELECT telemetry_agg('2026-01-01 12:00', 1, false) AS s) x;
SELECT is(uptime(s, '[2026-01-01, 2026-01-11)', '1000000 days'), 0.9::float8, 'a timeout may be longer than the period')
FROM (SELECT telemetry_agg('2026-01-02', 1, true) AS s) x;
SELECT is(uptime(s, '[294276-12-31 23:59:59.999998, 294276-12-31 23:59:59.999999]', '106751991 days'), share,
          format('slots of a microsecond at the end of time, the longest timeout, up at %s', at))
FROM (VALUES (timestamptz '4713-01-01 BC', 0::float8), ('2000-01-01', 1)) v(at, share),
     LATERAL (SELECT telemetry_agg(b, 1, true, '00:00:00.000001') AS s FROM (VALUES (at)) b(b)) x;
SELECT is(uptime(NULL, '[2026-01-01, 2026-01-02)', '1 min'), NULL, 'NULL for NULL');
SELECT throws_ok(format($$SELECT uptime(telemetry_agg('2026-01-01', 1, true), '[2026-01-01, 2026-01-02)', %L)$$, t), '22023', m, format('timeout %s is refused', t))
FROM (VALUES ('-1 s', 'timeout -00:00:01 is out of range'), ('1 month', 'timeout 1 mon has no fixed length'),
             ('1000000000 days', 'timeout 1000000000 days is out of range')) v(t, m);
SELECT throws_ok($$SELECT uptime(telemetry_agg('2026-01-01', 1, true), 'empty', '1 min')$$, '22023', 'period is empty', 'and an empty period');

-- sum
SELECT is_empty($$SELECT FROM (SELECT sum(s) AS a, rollup(s) AS b FROM summary GROUP BY kind % 1, slot) x WHERE a <> b$$, 'sum is rollup, to the bit');
SELECT ok((SELECT sum(s) FROM (SELECT telemetry_agg(at, NULL, ok) AS s FROM beat GROUP BY date_trunc('hour', at)) x)
          = (SELECT telemetry_agg(at, NULL, ok) FROM beat), 'hours summed are the whole');
SELECT is((SELECT array_agg((aggcombinefn, aggserialfn, aggdeserialfn, aggtransfn, aggfinalfn, proparallel)::text)
           FROM pg_aggregate JOIN pg_proc p ON p.oid = aggfnoid WHERE aggfnoid = 'sum(telemetry_summary)'::regprocedure),
          (SELECT array_agg((aggcombinefn, aggserialfn, aggdeserialfn, aggtransfn, aggfinalfn, proparallel)::text)
           FROM pg_aggregate JOIN pg_proc p ON p.oid = aggfnoid WHERE aggfnoid = 'rollup(telemetry_summary)'::regprocedure),
          'by the same functions, also in parallel');
SELECT * FROM finish();
ROLLBACK;
