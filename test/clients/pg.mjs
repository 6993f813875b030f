// What node-postgres makes of money and keys. See run.
import pg from 'pg'

const ok = (passed, what) => console.log(`${passed ? '' : 'not '}ok - ${what}`)
const client = new pg.Client({ user: process.env.SERVICE })
await client.connect()
const { rows } = await client.query('SELECT total, total_text, provider_id, to_jsonb(s) AS all FROM swarm_reward.provider_statement s')
ok(rows.every((r) => typeof r.total === 'string' && typeof r.provider_id === 'string'), 'money and keys are strings')
ok(rows.every((r) => r.total === r.total_text), 'to the last digit')
ok(rows.reduce((s, r) => s + BigInt(r.total), 0n) > 10n ** 29n, 'and add up as BigInt')
ok(rows.some((r) => BigInt(r.all.total) !== BigInt(r.total)), 'in JSON the number has lost some')
ok(rows.every((r) => r.all.total_text === r.total), 'and its text none')
await client.end()
