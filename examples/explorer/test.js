// What the explorer does, in headless Chromium, in TAP. Needs a database by PGHOST and the rest; skips where there is no Chromium.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'

const chromium = process.env.PATH.split(delimiter).flatMap((d) => ['chromium', 'chromium-browser', 'google-chrome'].map((n) => `${d}/${n}`)).find(existsSync)
let count = 0
let failed = 0
function ok (passed, what) { console.log(`${passed ? '' : 'not '}ok ${++count} - ${what}`); failed += !passed }

const service = spawn(process.execPath, ['server.js'], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
const url = await new Promise((resolve, reject) => {
  service.stdout.on('data', (d) => { const m = /(http\S+)/.exec(d); if (m) resolve(m[1]) })
  service.on('exit', () => reject(new Error('the service ended')))
})
process.on('exit', () => service.kill())

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
  [`tiles/${'0'.repeat(64)}/served/0/0/0`, 400], ['maplibre/..%2f..%2fpackage.json', 404]]) {
  const { status: got } = await get(path)
  ok(got === status, `${path.slice(0, 40)}: ${got}`)
}
const tile = await get(`tiles/${last.digest}/served/0/0/0`)
ok(tile.body.byteLength > 100 && tile.headers.get('cache-control').includes('immutable'), 'a tile, kept by its digest')
ok(tile.headers.get('content-type') === 'application/vnd.mapbox-vector-tile', 'of vectors')
const requests = Number(process.env.REQUESTS ?? 1000)
const memory = async () => Number((await import('node:fs')).readFileSync(`/proc/${service.pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1])
for (let i = 0; i < 200; i++) await get(`tiles/${last.digest}/served/0/0/0`)
const before = await memory()
for (let i = 0; i < requests; i += 10) await Promise.all(Array.from({ length: 10 }, (_, k) => get((i + k) % 2 ? `tiles/${last.digest}/served/0/0/0` : 'api/epochs')))
const grown = (await memory()) - before
ok(grown < 60000, `${requests} requests: ${Math.round(grown / 1024)} MB more memory`)

// ---- the page ----
if (!chromium) console.log(`ok ${++count} - # skip no Chromium`)
else {
  const { default: puppeteer } = await import('puppeteer-core')
  const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'], protocolTimeout: 300000 })
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
  await page.evaluate(() => { location.hash = '#/providers' })
  await page.waitForSelector('#page li a')
  await page.click('#page li a')
  await page.waitForSelector('#page a[href^="#/explain/"]')
  await shot('provider')
  await page.click('#page a[href^="#/explain/"]')
  await page.waitForFunction(() => /came about/.test(document.querySelector('#page').textContent))
  ok((await page.$$('#page tbody tr')).length > 25, 'a provider, and each amount of a node of it explained')
  await shot('explain')
  await page.setViewport({ width: 360, height: 640 })
  await page.evaluate(() => { location.hash = '#/' })
  await new Promise((resolve) => setTimeout(resolve, 1500))
  ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than a narrow screen')
  await shot('narrow')
  ok(wrong.length === 0, `no error in the console ${wrong.join(' | ')}`)
  ok(others.size === 0, `nothing from another host ${[...others].join(' ')}`)
  await browser.close()
}
console.log(`1..${count}`)
process.exitCode = failed ? 1 : 0
service.removeAllListeners('exit')
service.kill()
