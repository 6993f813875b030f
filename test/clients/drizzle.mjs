// drizzle-kit reads the schema of doc/backend.md, and that of the extension. See run.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'

const ok = (passed, what) => console.log(`${passed ? '' : 'not '}ok - ${what}`)
function pull (schema, user) {
  const dir = mkdtempSync(`${process.env.CLIENTS_WORK}/drizzle`)
  const url = `postgres://${user}@localhost:${process.env.PGPORT}/${process.env.PGDATABASE}?host=${process.env.PGHOST}`
  writeFileSync(`${dir}/config.json`, JSON.stringify({ dialect: 'postgresql', schemaFilter: [schema], out: `${dir}/out`, introspect: { casing: 'preserve' }, dbCredentials: { url } }))
  execFileSync('node_modules/.bin/drizzle-kit', ['pull', '--config', `${dir}/config.json`], { stdio: ['ignore', 'ignore', 'inherit'] })
  return readFileSync(`${dir}/out/schema.ts`, 'utf8')
}
const api = pull('api', process.env.SERVICE)
ok(['provider', 'statement', 'region'].every((v) => api.includes(`api.view("${v}"`)), 'three views')
ok(/\btotal: text\(\)/.test(api) && /\bbalance: text\(\)/.test(api), 'with money as text')
ok(!/unknown\(/.test(api), 'and no type that it does not know')
const all = pull('swarm_reward', process.env.PGUSER)
ok(/\.view\("provider_statement"/.test(all) && /\btotal: numeric\(\)/.test(all), 'the views of the extension too')
