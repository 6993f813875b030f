-- allocate against exact integer arithmetic in SQL: the definition of the contract, word for word.
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
CREATE EXTENSION IF NOT EXISTS swarm_reward CASCADE;
SET LOCAL search_path = public, swarm_reward;
SELECT plan(19);
SELECT setseed(0.25);

-- 2^n for any n, exact
CREATE FUNCTION pg_temp.power_of_two(n int) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN n >= 0 THEN power(2::numeric, n) ELSE power(5::numeric, -n) / power(10::numeric, -n) END
$$;

-- the value of a float8 as mantissa · 2^exponent, both integers, from its bits
CREATE FUNCTION pg_temp.parts(x float8, OUT mantissa numeric, OUT exponent int) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    bits bytea := float8send(x);
    raw int := (get_byte(bits, 0) & 127) * 16 + get_byte(bits, 1) / 16;
    fraction numeric := get_byte(bits, 1) & 15;
BEGIN
    FOR i IN 2..7 LOOP
        fraction := fraction * 256 + get_byte(bits, i);
    END LOOP;
    mantissa := CASE WHEN raw = 0 THEN fraction ELSE fraction + 4503599627370496 END;
    exponent := greatest(raw, 1) - 1075;
END
$$;

-- weights: the largest in [2^61, 2^62), floored
CREATE FUNCTION pg_temp.weights(scores float8[]) RETURNS numeric[] LANGUAGE plpgsql AS $$
DECLARE
    top numeric; top_exponent int; shift int := 0; result numeric[] := '{}'; m numeric; e int; x float8;
BEGIN
    SELECT p.mantissa, p.exponent INTO top, top_exponent
    FROM pg_temp.parts((SELECT max(coalesce(s, 0)) FROM unnest(scores) s)) p;
    IF top > 0 THEN
        WHILE top < power(2::numeric, 61) LOOP top := top * 2; shift := shift + 1; END LOOP;
    END IF;
    FOREACH x IN ARRAY scores LOOP
        SELECT p.mantissa, p.exponent + shift - top_exponent INTO m, e FROM pg_temp.parts(coalesce(x, 0)) p;
        result := result || CASE WHEN e >= 0 THEN m * power(2::numeric, e)
                                 WHEN e < -120 THEN 0
                                 ELSE div(m, power(2::numeric, -e)) END;
    END LOOP;
    RETURN result;
END
$$;

-- water-filling in rounds, all rows that exceed at once; then largest remainders, earlier row first
CREATE FUNCTION pg_temp.oracle(weights numeric[], amount numeric, caps numeric[]) RETURNS numeric[] LANGUAGE plpgsql AS $$
DECLARE
    n int := coalesce(cardinality(weights), 0);
    share numeric[] := array_fill(0::numeric, ARRAY[n]);
    free boolean[];
    a numeric := amount; w numeric; next_a numeric; next_w numeric; changed boolean; spent numeric := 0; r record;
BEGIN
    SELECT array_agg(x > 0 ORDER BY i), sum(x) INTO free, w FROM unnest(weights) WITH ORDINALITY u(x, i);
    LOOP
        changed := false; next_a := a; next_w := w;
        FOR i IN 1..n LOOP
            IF free[i] AND caps[i] IS NOT NULL AND a * weights[i] > caps[i] * w THEN
                share[i] := caps[i]; free[i] := false; changed := true;
                next_a := next_a - caps[i]; next_w := next_w - weights[i];
            END IF;
        END LOOP;
        a := next_a; w := next_w;
        EXIT WHEN NOT changed;
    END LOOP;
    IF w = 0 THEN RETURN share; END IF;
    FOR i IN 1..n LOOP
        IF free[i] THEN share[i] := div(a * weights[i], w); spent := spent + share[i]; END IF;
    END LOOP;
    FOR r IN SELECT i FROM generate_series(1, n) i WHERE free[i]
             ORDER BY a * weights[i] - div(a * weights[i], w) * w DESC, i LIMIT (a - spent)::int LOOP
        share[r.i] := share[r.i] + 1;
    END LOOP;
    RETURN share;
END
$$;

-- cases: kinds of scores × amounts × caps
CREATE TEMP TABLE input AS
SELECT c.kind, c.seed, a.amount, i,
       CASE c.kind
           WHEN 'random' THEN random()
           WHEN 'tied' THEN 1 + i % 3
           WHEN 'equal' THEN 7
           WHEN 'tiny' THEN random() * 1e-300
           WHEN 'huge' THEN random() * 1.7e308
           WHEN 'denormal' THEN (1 + floor(random() * 1e6)) * 4.94065645841247e-324
           WHEN 'wide' THEN power(10::float8, random() * 600 - 300)
           WHEN 'sparse' THEN CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN 0 ELSE random() END
           WHEN 'skewed' THEN exp(random() * 30)
       END AS score,
       CASE c.seed % 3
           WHEN 0 THEN NULL
           WHEN 1 THEN CASE WHEN random() < 0.3 THEN NULL ELSE floor(a.amount * (random() * 3 / 40)::numeric) END
           ELSE floor(a.amount * (random() * 2 / 40)::numeric) END AS cap
FROM (SELECT kind, seed FROM unnest(ARRAY['random', 'tied', 'equal', 'tiny', 'huge', 'denormal', 'wide', 'sparse', 'skewed']) kind,
             generate_series(0, 8) seed) c,
     unnest(ARRAY[0, 1, 7, 1000, 123456789012345678901, 99999999999999999999999999999999999999]) a(amount),
     LATERAL generate_series(1, 1 + c.seed * 5) i;

CREATE TEMP TABLE result AS
SELECT *, allocate(score, amount) OVER w AS plain, allocate(score, amount, cap) OVER w AS capped,
       allocate(score, amount, NULL) OVER w AS uncapped
FROM input WINDOW w AS (PARTITION BY kind, seed, amount ORDER BY i);

CREATE TEMP TABLE grouped AS
SELECT kind, seed, amount, array_agg(plain ORDER BY i) plain, array_agg(capped ORDER BY i) capped,
       array_agg(cap ORDER BY i) caps, sum(plain) total, sum(capped) capped_total, max(score) best,
       pg_temp.weights(array_agg(score ORDER BY i)) weights
FROM result GROUP BY kind, seed, amount;

SELECT is((SELECT count(*) FROM grouped), 9 * 9 * 6::bigint, 'all cases are there');
SELECT is_empty($$SELECT kind, seed, amount FROM grouped
                  WHERE plain <> pg_temp.oracle(weights, amount, array_fill(NULL::numeric, ARRAY[cardinality(weights)]))$$,
                'float8 scores: exact integer arithmetic in SQL');
SELECT is_empty($$SELECT kind, seed, amount FROM grouped WHERE capped <> pg_temp.oracle(weights, amount, caps)$$,
                'with caps: rounds of water-filling in SQL');
SELECT is_empty($$SELECT 1 FROM result WHERE plain IS DISTINCT FROM uncapped$$, 'a NULL cap is no cap');
SELECT is_empty($$SELECT 1 FROM grouped WHERE total <> CASE WHEN best > 0 THEN amount ELSE 0 END$$,
                'the shares add up to the amount whenever some score is positive');
SELECT is_empty($$SELECT 1 FROM result WHERE capped > cap$$, 'nobody gets more than their cap');
SELECT is_empty($$SELECT 1 FROM grouped g WHERE capped_total < amount AND best > 0 AND EXISTS (
                    SELECT 1 FROM result r WHERE (r.kind, r.seed, r.amount) = (g.kind, g.seed, g.amount)
                    AND r.score = g.best AND r.capped < coalesce(r.cap, r.amount))$$,
                'something stays unallocated only when the row with the best score is full');
SELECT is_empty($$SELECT 1 FROM result WHERE coalesce(score, 0) = 0 AND (plain <> 0 OR capped <> 0)$$,
                'no score, no share');
SELECT cmp_ok((SELECT count(*) FROM result WHERE capped = cap AND cap > 0 AND plain > cap), '>', 1000::bigint,
              'caps are met in many rows');

-- the exact numeric path, small and large numbers
CREATE TEMP TABLE exact AS
SELECT seed, amount, i, cap, n.kind,
       CASE n.kind WHEN 'small' THEN coalesce(round((score * 1000)::numeric, 3), 0)
                   WHEN 'large' THEN coalesce(round((score * 1000)::numeric, 3), 0) * 1e40 + i
                   WHEN 'fine' THEN coalesce(round((score * 1000)::numeric, 3), 0) + i * 1e-60
                   WHEN 'multiple' THEN coalesce(round((score * 1000)::numeric, 3), 0) * 1e40
       END AS score
FROM input, unnest(ARRAY['small', 'large', 'fine', 'multiple']) n(kind) WHERE input.kind IN ('sparse', 'tied')
AND seed % 2 = CASE input.kind WHEN 'tied' THEN 0 ELSE 1 END;

CREATE TEMP TABLE exact_result AS
SELECT *, allocate(score, amount) OVER w AS plain, allocate(score, amount, cap) OVER w AS capped
FROM exact WINDOW w AS (PARTITION BY kind, seed, amount ORDER BY i);

CREATE TEMP TABLE exact_grouped AS
SELECT kind, seed, amount, array_agg(plain ORDER BY i) plain, array_agg(capped ORDER BY i) capped,
       array_agg(cap ORDER BY i) caps, array_agg(score ORDER BY i) weights
FROM exact_result GROUP BY kind, seed, amount;

SELECT is_empty($$SELECT kind, seed, amount FROM exact_grouped
                  WHERE plain <> pg_temp.oracle(weights, amount, array_fill(NULL::numeric, ARRAY[cardinality(weights)]))$$,
                'numeric scores of every size: exact arithmetic in SQL');
SELECT is_empty($$SELECT kind, seed, amount FROM exact_grouped WHERE capped <> pg_temp.oracle(weights, amount, caps)$$,
                'numeric scores with caps');
SELECT is_empty($$SELECT 1 FROM exact_result a JOIN exact_result b USING (seed, amount, i)
                  WHERE a.kind = 'small' AND b.kind = 'multiple' AND (a.plain, a.capped) <> (b.plain, b.capped)$$,
                'the unit of the scores does not matter');
-- one row whose score needs 60 decimals and whose cap is 0 forces numeric arithmetic, and changes nothing
SELECT is_empty($$
    WITH small AS (SELECT seed, amount, i, score, cap FROM exact WHERE kind = 'small'),
    more AS (SELECT * FROM small UNION ALL SELECT DISTINCT seed, amount, 1000, 1e-60, 0::numeric FROM small),
    integers AS (SELECT seed, amount, i, allocate(score, amount, cap) OVER (PARTITION BY seed, amount ORDER BY i) x FROM small),
    numerics AS (SELECT seed, amount, i, allocate(score, amount, cap) OVER (PARTITION BY seed, amount ORDER BY i) x FROM more)
    SELECT 1 FROM integers a JOIN numerics b USING (seed, amount, i) WHERE a.x <> b.x$$,
    'the integer path and the numeric path agree');

-- largest remainders stay within one unit of the exact quota
SELECT is_empty($$SELECT 1 FROM (SELECT plain, amount * score AS part, sum(score) OVER (PARTITION BY kind, seed, amount) AS whole
                                 FROM exact_result) r
                  WHERE whole > 0 AND abs(plain * whole - part) >= whole$$,
                'every share is its quota rounded down or up');

-- scaling by a power of two changes nothing
SELECT is_empty($$SELECT 1 FROM (SELECT plain, allocate(score * 1024, amount) OVER (PARTITION BY kind, seed, amount ORDER BY i) x
                                 FROM result WHERE kind IN ('random', 'tied', 'sparse', 'skewed')) r WHERE plain <> x$$,
                'scores times a power of two give the same shares');

-- a large partition, with as many leftover units as the selection has to tell apart
CREATE TEMP TABLE large AS
SELECT i, CASE i % 5 WHEN 0 THEN 1 WHEN 1 THEN 1 + i % 7 ELSE random() END AS score, floor(random() * 3000)::numeric AS cap
FROM generate_series(1, 20000) i;
CREATE TEMP TABLE large_result AS
SELECT i, score, cap, allocate(score, 20000000) OVER (ORDER BY i) plain, allocate(score, 20000000, cap) OVER (ORDER BY i) capped
FROM large;
SELECT is((SELECT sum(plain) FROM large_result), 20000000::numeric, '20 000 rows: the sum');
SELECT is_empty($$
    WITH w AS (SELECT i, plain, floor(score::numeric * 0) + u.w AS w
               FROM large_result JOIN unnest((SELECT pg_temp.weights(array_agg(score ORDER BY i)) FROM large)) WITH ORDINALITY u(w, i) USING (i)),
    t AS (SELECT sum(w) AS total FROM w),
    q AS (SELECT i, plain, div(20000000 * w, total) AS base, 20000000 * w - div(20000000 * w, total) * total AS rest FROM w, t),
    ranked AS (SELECT *, row_number() OVER (ORDER BY rest DESC, i) AS rank, 20000000 - sum(base) OVER () AS left_over FROM q)
    SELECT i FROM ranked WHERE plain <> base + CASE WHEN rank <= left_over THEN 1 ELSE 0 END$$,
    '20 000 rows: the same shares in SQL');
SELECT ok((SELECT bool_and(capped <= cap) AND sum(capped) = least(20000000, (SELECT sum(cap) FROM large)) FROM large_result),
          '20 000 rows with caps: within the caps, and nothing lost');
SELECT is((SELECT array_agg(x ORDER BY i) FROM (SELECT i, allocate(score, 1000) OVER (ORDER BY i) x FROM large WHERE i <= 50) s),
          (SELECT array_agg(x ORDER BY i) FROM (SELECT i, allocate(score, 1000) OVER (ORDER BY i) x
                                                FROM (SELECT * FROM large WHERE i <= 50 ORDER BY score) r) s),
          'the order of the window counts, not the order of the rows');

SELECT * FROM finish();
ROLLBACK;
