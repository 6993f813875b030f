-- allocate: integer amounts apportioned exactly.

CREATE FUNCTION allocate(score double precision, amount numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_float8' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(double precision, numeric) IS
'Window function: the row''s share of the integer amount, in proportion to score, by largest remainders (Hamilton), exactly. Weights are the scores times one power of two, the largest in [2^61, 2^62), floored; ties of remainders go to the earlier row of the window order, which should therefore be unique. The shares of a partition add up to the amount when some score is positive, and are 0 when none is. NULL score counts as 0; amount NULL in all rows gives NULL. Negative, NaN or infinite scores, an amount that is fractional, negative or above 10^38 - 1, or that varies within the partition, are errors.';

CREATE FUNCTION allocate(score double precision, amount numeric, cap numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_float8' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(double precision, numeric, numeric) IS
'As allocate(score, amount), but no row gets more than its cap (NULL: none): rows whose exact quota exceeds their cap get the cap and the rest is shared again among the others until no quota exceeds (water-filling); what nobody may take stays unallocated. Fractional, negative, NaN or infinite caps are errors.';

CREATE FUNCTION allocate(score numeric, amount numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_numeric' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(numeric, numeric) IS
'As allocate(double precision, numeric), with the exact numerics as weights.';

CREATE FUNCTION allocate(score numeric, amount numeric, cap numeric) RETURNS numeric
AS 'MODULE_PATHNAME', 'sr_allocate_numeric' LANGUAGE c WINDOW IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION allocate(numeric, numeric, numeric) IS
'As allocate(double precision, numeric, numeric), with the exact numerics as weights.';
