// PostGraphile over the schema of doc/backend.md, as its login. See run.
import { createPostGraphileSchema, withPostGraphileContext } from 'postgraphile'
import { graphql } from 'graphql'
import pg from 'pg'

const ok = (passed, what) => console.log(`${passed ? '' : 'not '}ok - ${what}`)
const pool = new pg.Pool({ user: process.env.SERVICE, max: 2 })
const schema = await createPostGraphileSchema(pool, ['api'], { simpleCollections: 'only', dynamicJson: true })
const ask = (query) => withPostGraphileContext({ pgPool: pool }, (context) => graphql(schema, query, null, { ...context }))
const fields = Object.keys(schema.getQueryType().getFields())
ok(['allProvidersList', 'allStatementsList', 'allRegionsList'].every((f) => fields.includes(f)), 'three views are three lists')
ok(!schema.getMutationType()?.getFields().createStatement, 'which nobody writes')
const { data, errors } = await ask('{ allProvidersList { name balance statementsByProviderIdList { epochId total } } allRegionsList(condition: { code: "eu", epochId: "2" }) { servedFraction boundary } }')
ok(!errors, `they are asked together ${errors ?? ''}`)
const { rows } = await pool.query('SELECT provider AS name, epoch_id, total::text AS total FROM swarm_reward.provider_statement')
const total = (name, epoch) => rows.find((r) => r.name === name && r.epoch_id === epoch)?.total
const got = data.allProvidersList.flatMap((p) => p.statementsByProviderIdList.map((s) => [p.name, s.epochId, s.total]))
ok(got.length === rows.length && got.every(([n, e, t]) => t === total(n, e)), 'statements of providers, to the last digit')
ok(data.allRegionsList.length === 1 && data.allRegionsList[0].boundary.type === 'MultiPolygon', 'a region with its GeoJSON')
await pool.end()
