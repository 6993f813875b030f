// What the explorer does, in headless Chromium, in TAP. Needs a database by PGHOST and the rest, with an epoch that is computed and not
// final, and in OWNER who may hold it; skips where there is no Chromium. REQUESTS: how many; SHOTS: a directory for pictures.
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { chromium, launch, start } from './drive.js'

let count = 0
let failed = 0
function ok (passed, what) { console.log(`${passed ? '' : 'not '}ok ${++count} - ${what}`); failed += !passed }

const { service, url } = await start()

// ---- the service ----
const get = async (path) => { const r = await fetch(url + path); return { status: r.status, headers: r.headers, body: r.headers.get('content-type')?.includes('json') ? await r.json() : await r.arrayBuffer() } }
const epochs = (await get('api/epochs')).body
const last = epochs.filter((e) => e.digest).at(-1)
ok(typeof last.budget === 'string' && typeof last.epoch_id === 'string', 'money and keys are text')
const resource = (await get('api/resources')).body[0].code
const what = new URLSearchParams({ radius_m: 500000, resources: JSON.stringify({ [resource]: 8 }) })
const there = (await get(`api/simulate?lon=2.3&lat=48.8&epoch=${last.epoch_id}&${what}`)).body
ok(there.length === 7 && BigInt(there[0].total) === there.reduce((s, p) => s + BigInt(p.amount), 0n), 'a place is simulated, by component')
for (const [path, status] of [['api/epochs/999999', 404], ['api/epochs/1;2', 400], ['api/providers/x', 400], [`api/simulate?lon=2&lat=95&epoch=1&${what}`, 400],
  [`api/simulate?lon=2&lat=5&epoch=${last.epoch_id}&radius_m=10&resources={"no such thing":1}`, 404], [`tiles/${last.digest}/served/3/9/0`, 400], [`tiles/${last.digest}/node/0/0/0`, 400],
  [`tiles/${'0'.repeat(64)}/served/0/0/0`, 400], ['maplibre/..%2f..%2fpackage.json', 404], [`api/simulate?lon=2&lat=5&epoch=1&radius_m=10&resources={`, 400]]) {
  const { status: got } = await get(path)
  ok(got === status, `${path.slice(0, 40)}: ${got}`)
}
const tile = await get(`tiles/${last.digest}/served/0/0/0`)
ok(tile.body.byteLength > 100 && tile.headers.get('cache-control').includes('immutable'), 'a tile, kept by its digest')
ok(tile.headers.get('content-type') === 'application/vnd.mapbox-vector-tile', 'of vectors')
// many of all kinds: neither the service grows, nor the number of its connections
const requests = Number(process.env.REQUESTS ?? 300)
const memory = () => Number(readFileSync(`/proc/${service.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]) / 1024
const nodes = (await get(`api/epochs/${last.epoch_id}/nodes`)).body
const provider = nodes[0].provider_id
const kinds = [`tiles/${last.digest}/served/0/0/0`, 'api/epochs', `tiles/${last.digest}/gap/1/1/0`, `api/providers/${provider}`, `api/epochs/${last.epoch_id}/nodes`, 'api/providers/x', 'api/events',
  `tiles/${last.digest}/served/1/0/0`, 'app.js', `api/simulate?lon=29&lat=41&epoch=${last.epoch_id}&${what}`]
async function batch () {
  await Promise.all(kinds.map(async (path) => {
    if (path !== 'api/events') return (await fetch(url + path)).arrayBuffer()
    const gone = new AbortController() // a page that is opened and closed
    await fetch(url + path, { signal: gone.signal })
    gone.abort()
  }))
}
for (let i = 0; i < 100; i += kinds.length) await batch()
const before = memory()
for (let i = 0; i < requests; i += kinds.length) await batch()
const grown = memory() - before
ok(grown < 48, `${requests} requests: ${before.toFixed(0)} MB of memory, and ${grown.toFixed(0)} MB more`)
const owner = new pg.Client({ user: process.env.OWNER })
await owner.connect()
const one = async (text, values) => (await owner.query(text, values)).rows[0]
const connections = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'explorer%' AND datname = current_database()"
ok((await one(connections)).n <= 7, 'six connections for all of them, and one that listens')

// ---- the page ----
if (!chromium) console.log(`ok ${++count} - # skip Chromium is not installed`)
else {
  const browser = await launch()
  const page = await browser.newPage()
  const wrong = []
  const others = new Set()
  page.on('console', (m) => { if (m.type() === 'error' || (m.type() === 'warn' && !/GPU stall|GL Driver/.test(m.text()))) wrong.push(m.text()) })
  page.on('pageerror', (e) => wrong.push(e.message))
  page.on('request', (r) => { if (/^https?:/.test(r.url()) && !r.url().startsWith(url)) others.add(r.url()) })
  const ready = () => page.waitForFunction('window.explorer?.ready', { timeout: 180000 })
  const shot = async (name) => { if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` }) }
  const said = (selector) => page.$eval(selector, (e) => e.textContent)
  const colours = () => page.evaluate(() => window.explorer.map.queryRenderedFeatures({ layers: ['cells'] }).length)
  await page.setViewport({ width: 1280, height: 800 })
  page.setDefaultTimeout(180000)
  await page.goto(url, { waitUntil: 'domcontentloaded', timeout: 180000 })
  await ready()
  ok(await colours() > 10, 'the map has cells')
  ok(/cells, [\d,]+ nodes/.test(await said('#status')), `and says how many: ${await said('#status')}`)
  await shot('served')
  for (const layer of ['gap', 'reward']) {
    await page.click(`[name=layer][value=${layer}]`)
    await page.waitForFunction('!window.explorer.ready')
    await ready()
    ok(await colours() > 10, `the layer ${layer}`)
    await shot(layer)
  }
  const at = await page.evaluate(() => { const b = window.explorer.map.getCanvas().getBoundingClientRect(); const p = window.explorer.map.project([2.3, 48.8]); return { x: b.x + p.x, y: b.y + p.y } })
  await page.mouse.click(at.x, at.y)
  await page.waitForSelector('#total')
  ok((await page.$$('#page tbody tr')).length === 7 && /base units/.test(await said('#total')), `a click simulates a node there: ${await said('#total')}`)
  await shot('click')
  await page.$eval('#lon', (e) => { e.value = 29 })
  await page.$eval('#lat', (e) => { e.value = 41 })
  await page.$eval('#total', (e) => { e.textContent = '' })
  await page.click('#node button')
  await page.waitForFunction(() => document.querySelector('#total')?.textContent)
  const asked = BigInt((await said('#total')).replace(/\D/g, ''))
  const [inDatabase] = (await get(`api/simulate?lon=29&lat=41&epoch=${last.epoch_id}&${what}`)).body
  ok(asked === BigInt(inDatabase.total), `as the form does, with the digits of the database: ${asked}`)
  await page.$eval('#page', (e) => e.replaceChildren())
  await page.focus('#map canvas')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#total')
  ok(true, 'Enter on the map simulates a node in its middle')
  await page.$eval('#page', (e) => e.replaceChildren())
  await page.focus('#lat')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#total')
  ok(true, 'and in the form one at a place that is typed in')
  await page.evaluate(() => { location.hash = '#/epoch' })
  await page.waitForSelector('#page td.of')
  ok((await page.$$('#page td.of')).length === 7, 'the epoch has seven pools')
  await shot('epoch')
  const held = (text) => page.waitForFunction((t) => document.querySelector('#page').textContent.includes('held: a look') === t, { timeout: 30000 }, text).then(() => true, () => false)
  await owner.query("SELECT swarm_reward.hold_epoch($1, 'a look')", [last.epoch_id])
  ok(await held(true), 'an open page hears that the epoch was held')
  // the connection that listens is lost, and with it what is said then
  await owner.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'explorer%' AND datname = current_database()")
  await owner.query("SELECT swarm_reward.release_epoch($1, 'looked')", [last.epoch_id])
  ok(await held(false), 'and, when the database has cut it off meanwhile, that it was released')
  await page.evaluate(() => { location.hash = '#/providers' })
  await page.waitForSelector('#page li a')
  await page.click(`#page li a[href="#/provider/${nodes[0].provider_id}"]`)
  await page.waitForSelector('#page a[href^="#/explain/"]')
  ok(await page.evaluate(() => JSON.stringify(window.explorer.map.getPaintProperty('nodes', 'circle-radius'))).then((r) => r.includes('provider')), 'the nodes of a provider stand out on the map')
  await shot('provider')
  await page.click('#page a[href^="#/explain/"]')
  await page.waitForFunction(() => /came about/.test(document.querySelector('#page').textContent))
  ok((await page.$$('#page tbody tr')).length > 25, 'a provider, and each amount of a node of it explained')
  await shot('explain')
  const explained = await page.evaluate(() => location.hash)
  await page.evaluate(() => { location.hash = '#/no/such/page' })
  await page.waitForFunction(() => /no such page/.test(document.querySelector('#page').textContent))
  ok(true, 'an address that is none says so')
  await page.setViewport({ width: 360, height: 640 })
  await page.evaluate(() => { location.hash = '#/' })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than a narrow screen')
  await shot('narrow')
  await page.evaluate(() => { location.hash = '#/epoch' })
  await page.waitForSelector('#page td.of')
  const fits = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('#side').scrollWidth <= document.querySelector('#side').clientWidth)
  ok(await fits(), 'nor is the epoch')
  await page.evaluate((hash) => { location.hash = hash }, explained)
  await page.waitForFunction(() => /came about/.test(document.querySelector('#page').textContent))
  ok(await fits(), 'nor an explanation')
  ok(await page.evaluate(() => document.querySelector('footer').getBoundingClientRect().top < document.querySelector('#side').getBoundingClientRect().top), 'and the legend is below the map')
  ok(wrong.length === 0, `no error in the console ${wrong.join(' | ')}`)
  ok(others.size === 0, `nothing from another host ${[...others].join(' ')}`)
  await browser.close()
}
await owner.end()
console.log(`1..${count}`)
process.exitCode = failed ? 1 : 0
service.removeAllListeners('exit')
service.kill()
