// The explorer's service: reads one database as the role "explorer", writes nothing, keeps fields by the
// digest of their epoch, and tells pages when something has changed.
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import Fastify from 'fastify'
import pg from 'pg'

const FIELDS_KEPT = 24 // maps of rewards and other fields in memory
const MAP_ORDER = 6 // a map of rewards tries nodes at the centres of cells of some 100 km
const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const pool = new pg.Pool({ user: 'explorer', max: 6, application_name: 'explorer' })
const rows = async (text, values = []) => (await pool.query(text, values)).rows
const app = Fastify({ logger: process.env.LOG === '1' })

const bad = (message) => Object.assign(new Error(message), { statusCode: 400 })
const whole = (text, what) => {
  if (!/^\d{1,18}$/.test(text ?? '')) throw bad(`${what} is no number`)
  return text
}
const number = (text, low, high, what) => {
  const x = Number(text)
  if (text === undefined || text === '' || !(x >= low && x <= high)) throw bad(`${what} is not from ${low} to ${high}`)
  return x
}
// what a visitor can do wrong is theirs to read; all else stays in the log
app.setErrorHandler((error, request, reply) => {
  const theirs = error.statusCode === 400 || error.code?.startsWith('22') || ['P0002', '55000', '42501'].includes(error.code)
  request.log.error(error)
  reply.code(theirs ? (error.code === 'P0002' ? 404 : 400) : 500).send({ error: theirs ? error.message : 'something went wrong here', hint: theirs ? error.hint : undefined })
})

// ---- files ----
const maplibre = here('node_modules/maplibre-gl/dist/')
const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', mjs: 'text/javascript', css: 'text/css', svg: 'image/svg+xml' }
const files = { '/': 'public/index.html', '/app.js': 'public/app.js', '/style.css': 'public/style.css', '/icon.svg': 'public/icon.svg' }
const send = async (reply, path, age) => reply
  .header('content-security-policy', "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'")
  .header('x-content-type-options', 'nosniff').header('cache-control', age).type(types[path.split('.').pop()]).send(await readFile(path))
for (const [url, path] of Object.entries(files)) app.get(url, (request, reply) => send(reply, here(path), 'no-cache'))
app.get('/maplibre/:name', (request, reply) => {
  if (!/^maplibre-gl(-shared|-worker)?\.(mjs|css)$/.test(request.params.name)) return reply.code(404).send()
  return send(reply, maplibre + request.params.name, 'max-age=86400')
})

// ---- fields, by the digest of their epoch: what has one never changes ----
const kept = new Map()
function keep (key, make) {
  let value = kept.get(key)
  if (value === undefined) {
    value = make()
    value.catch(() => kept.delete(key))
  }
  kept.delete(key)
  kept.set(key, value) // the least recently used go first
  if (kept.size > FIELDS_KEPT) kept.delete(kept.keys().next().value)
  return value
}
async function measured (field) { // classes for a legend: the least, quantiles of the values that there are, the greatest
  const [r] = await rows(`WITH c AS MATERIALIZED (SELECT c.value FROM coverage_cells($1::coverage) c)
    SELECT count(*)::int AS cells, (SELECT percentile_disc(ARRAY[0, 0.2, 0.4, 0.6, 0.8, 0.95, 1]::float8[]) WITHIN GROUP (ORDER BY d.value) FROM (SELECT DISTINCT value FROM c) d) AS classes
    FROM c`, [field])
  return { field, cells: r.cells, classes: [...new Set(r.classes ?? [])] }
}
function wanted (query) {
  let resources
  try { resources = JSON.parse(query.resources || '{}') } catch { throw bad('resources are no JSON') }
  return { radius: number(query.radius_m, 1, 5e6, 'radius_m'), resources: JSON.stringify(resources) }
}
async function fieldOf (digest, layer, query) {
  if (!/^[0-9a-f]{64}$/.test(digest)) throw bad('digest is none')
  if (layer === 'reward') {
    const { radius, resources } = wanted(query)
    return keep(`${digest} ${radius} ${resources}`, async () => {
      const [e] = await rows('SELECT epoch_id, least(grid_order, $2) AS grid_order FROM explorer.epoch WHERE digest = $1', [digest, MAP_ORDER])
      if (!e) throw bad('no epoch has this digest any more')
      const [r] = await rows('SELECT swarm_reward_internal.coverage_send(reward_map($1, $2, $3, $4)) AS field', [e.epoch_id, radius, resources, e.grid_order])
      return measured(r.field)
    })
  }
  if (layer !== 'served' && layer !== 'gap') throw bad('there are the layers served, gap and reward')
  return keep(`${digest} ${layer}`, async () => {
    const [r] = await rows(`SELECT swarm_reward_internal.coverage_send(${layer}) AS field FROM explorer.field WHERE digest = $1`, [digest])
    if (!r) throw bad('no epoch has this digest any more')
    return measured(r.field)
  })
}
app.get('/api/field/:digest/:layer', async (request) => {
  const { cells, classes } = await fieldOf(request.params.digest, request.params.layer, request.query)
  return { cells, classes }
})
app.get('/tiles/:digest/:layer/:z/:x/:y', async (request, reply) => {
  const { digest, layer, z, x, y } = request.params
  const { field } = await fieldOf(digest, layer, request.query)
  const [r] = await rows('SELECT coverage_tile($1::coverage, $2, $3, $4) AS tile', [field, whole(z, 'z'), whole(x, 'x'), whole(y, 'y')])
  return reply.header('cache-control', 'public, max-age=31536000, immutable').type('application/vnd.mapbox-vector-tile').send(r.tile)
})

// ---- what pages ask ----
app.get('/api/land', async (request, reply) => {
  const land = await keep('land', () => rows('SELECT code, geometry FROM explorer.land'))
  reply.header('cache-control', 'max-age=3600')
  return { type: 'FeatureCollection', features: land.map((g) => ({ type: 'Feature', properties: { code: g.code }, geometry: g.geometry })) }
})
app.get('/api/epochs', () => rows('SELECT * FROM explorer.epoch ORDER BY starts_at'))
app.get('/api/epochs/:id', async (request) => {
  const id = whole(request.params.id, 'epoch')
  const [epoch] = await rows('SELECT * FROM explorer.epoch WHERE epoch_id = $1', [id])
  if (!epoch) throw Object.assign(bad(`epoch ${id} does not exist`), { code: 'P0002' })
  const [pools, checks, health] = await Promise.all([
    rows('SELECT * FROM explorer.pool WHERE epoch_id = $1 ORDER BY "position"', [id]),
    rows('SELECT * FROM explorer.checks($1)', [id]),
    rows('SELECT * FROM health')])
  return { epoch, pools, checks, health }
})
app.get('/api/epochs/:id/nodes', (request) => rows('SELECT node_id, provider_id, name, lon, lat, quality FROM explorer.node WHERE epoch_id = $1 ORDER BY node_id LIMIT 20000', [whole(request.params.id, 'epoch')]))
app.get('/api/resources', () => rows('SELECT * FROM explorer.resource ORDER BY code'))
app.get('/api/simulate', (request) => {
  const { radius, resources } = wanted(request.query)
  return rows(`SELECT s.component, c.name, c.unit, s.score, s.payable::text, s.amount::text, (sum(s.amount) OVER ())::text AS total
    FROM simulate_node(format('POINT(%s %s)', $1::float8, $2::float8)::geography, $3, $4, $5) s JOIN explorer.pool c ON c.component = s.component AND c.epoch_id = $5`,
  [number(request.query.lon, -180, 180, 'lon'), number(request.query.lat, -90, 90, 'lat'), radius, resources, whole(request.query.epoch, 'epoch')])
})
app.get('/api/providers', () => rows('SELECT p.provider_id, p.name FROM explorer.provider p ORDER BY p.name, p.provider_id LIMIT 10000'))
app.get('/api/providers/:id', async (request) => {
  const id = whole(request.params.id, 'provider')
  const [provider] = await rows('SELECT * FROM explorer.provider WHERE provider_id = $1', [id])
  if (!provider) throw Object.assign(bad(`provider ${id} does not exist`), { code: 'P0002' })
  const [balance, statement, nodes] = await Promise.all([
    rows('SELECT to_jsonb(b) || jsonb_build_object(\'balance\', b.balance::text) AS b FROM provider_balance b WHERE b.provider_id = $1', [id]),
    rows('SELECT s.epoch_id, s.starts_at, s.total::text AS total FROM provider_statement s WHERE s.provider_id = $1 ORDER BY s.starts_at DESC LIMIT 50', [id]),
    rows(`SELECT n.node_id, n.name, n.region, n.availability, n.performance, n.place_trust, n.quality, n.epoch_id, r.total_text AS total
      FROM explorer.node n LEFT JOIN node_reward r ON r.epoch_id = n.epoch_id AND r.node_id = n.node_id
      WHERE n.provider_id = $1 AND n.epoch_id = (SELECT e.epoch_id FROM explorer.epoch e WHERE e.digest IS NOT NULL ORDER BY e.starts_at DESC LIMIT 1) ORDER BY n.node_id LIMIT 500`, [id])])
  return { provider, balance: balance[0]?.b, statement, nodes }
})
app.get('/api/explain/:epoch/:node', async (request) => {
  const values = [whole(request.params.node, 'node'), whole(request.params.epoch, 'epoch')]
  const [[node], terms] = await Promise.all([
    rows('SELECT n.name, n.region, n.lon, n.lat, n.provider_id, p.name AS provider FROM explorer.node n JOIN explorer.provider p USING (provider_id) WHERE n.node_id = $1 AND n.epoch_id = $2', values),
    rows('SELECT component, term, value, formula, hint FROM explain_reward($1, $2)', values)])
  return { node, terms }
})

// ---- live ----
const pages = new Set()
app.get('/api/events', (request, reply) => {
  reply.hijack()
  reply.raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  reply.raw.write(': hello\n\n')
  pages.add(reply.raw)
  request.raw.on('close', () => pages.delete(reply.raw))
})
const tell = (text) => { for (const page of pages) page.write(`data: ${text}\n\n`) }
async function listen (anew = false) { // again and again, should the connection be lost
  const client = new pg.Client({ user: 'explorer', application_name: 'explorer events' })
  const again = () => {
    client.removeAllListeners()
    client.on('error', () => {})
    client.end().catch(() => {})
    setTimeout(listen, 2000, true).unref()
  }
  client.once('error', again)
  client.on('notification', ({ payload }) => tell(payload))
  try {
    await client.connect()
    await client.query('LISTEN swarm_reward')
    if (anew) tell('{"event":"connected"}') // what was said meanwhile is lost: pages read anew
  } catch { again() }
}
pool.on('error', () => {}) // a connection that was lost is replaced by the next question
listen()
await app.listen({ host: process.env.HOST ?? '127.0.0.1', port: Number(process.env.PORT ?? 8080) })
console.log(`explorer: http://${process.env.HOST ?? '127.0.0.1'}:${app.server.address().port}/`)
