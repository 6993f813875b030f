"""What psycopg makes of the extension: money as Decimal to the last digit, jsonb and geography as arguments, fields as
values that come back as they were, notifications. See run."""
import json
import os
from decimal import Decimal

import psycopg
from psycopg.types.json import Jsonb


def ok(passed, what):
    print(f"{'' if passed else 'not '}ok - {what}")


service = psycopg.connect(user=os.environ["SERVICE"], autocommit=True)
owner = psycopg.connect(autocommit=True)
rows = service.execute("SELECT total, total_text, epoch_id FROM swarm_reward.provider_statement").fetchall()
ok(all(isinstance(t, Decimal) for t, _, _ in rows), "an amount is a Decimal")
ok(all(str(t) == text for t, text, _ in rows), "to the last digit")
ok(any(Decimal(float(t)) != t for t, _, _ in rows), "which a float has not")
last = [t for t, _, e in rows if e == 3]
exact = owner.execute("SELECT sum(amount) FROM swarm_reward.reward WHERE epoch_id = 3").fetchone()[0]
ok(sum(int(t) for t in last) == int(exact), "and adds up as int")
ok(sum(last) != exact, "as sums of Decimals are rounded to 28 digits")
try:
    json.dumps(rows[0][0])
    ok(False, "json does not take a Decimal by itself")
except TypeError:
    ok(json.loads(json.dumps(str(rows[0][0]))) == rows[0][1], "JSON has it as text")
parts = service.execute("SELECT component, amount FROM swarm_reward.simulate_node(%s, %s, %s)",
                        ("POINT(-90 41)", 500000, Jsonb({"gpu": 8}))).fetchall()
ok(len(parts) == 7 and all(isinstance(a, Decimal) for _, a in parts), "a place and resources are arguments")
field = service.execute("SELECT swarm_reward.coverage_agg('POINT(8 47)'::geography, 500000, 1, 6)").fetchone()[0]
back = service.execute("SELECT %s::swarm_reward.coverage OPERATOR(swarm_reward.=) swarm_reward.coverage_agg('POINT(8 47)'::geography, 500000, 1, 6)", (field,)).fetchone()[0]
ok(back is True, "a field comes back as it went")
try:
    service.execute("SELECT swarm_reward.simulate_node(%s, %s, %s)", ("POINT(8 47)", -1, Jsonb({"gpu": 8})))
    ok(False, "a mistake is an error")
except psycopg.Error as e:
    ok(e.sqlstate is not None and e.sqlstate.startswith("22") and "-1" in str(e), "a mistake is an error with its code and its value")
service.execute("LISTEN swarm_reward")
owner.execute("SELECT swarm_reward.hold_epoch(3, 'a look')")
heard = json.loads(next(service.notifies()).payload)
ok(heard["event"] == "hold" and heard["epoch_id"] == 3 and heard["reason"] == "a look", "it hears of what happens to an epoch")
owner.execute("SELECT swarm_reward.release_epoch(3, 'looked')")
