// The page: a map with one layer of three, and beside it what was asked. Money stays text.
import { Map as MapView, Marker, NavigationControl } from '/maplibre/maplibre-gl.mjs'

const $ = (id) => document.getElementById(id)
const colors = { served: ['#d4ede6', '#a6dbcf', '#74c1ca', '#41a6c4', '#225ea8', '#0c1f5c'], gap: ['#fee5c0', '#fdcc8a', '#fc8d59', '#ea5f3c', '#d7301f', '#6e0000'], reward: ['#f1eef6', '#d4b9da', '#c994c7', '#df65b0', '#dd1c77', '#67001f'] }
const says = { served: 'demand that is served, of each cell', gap: 'demand that is not served, of each cell', reward: 'base units that one more node would have earned' }
let epochs = []
let epoch // the one that is shown
let drawn = 0 // the last layer asked for

const text = (x) => x === null || x === undefined ? '' : String(x)
function tag (name, attributes = {}, ...content) {
  const e = document.createElement(name)
  for (const [k, v] of Object.entries(attributes)) if (v !== undefined) e.setAttribute(k, v)
  e.append(...content.flat().map((c) => c instanceof Node ? c : text(c)))
  return e
}
const money = (digits) => text(digits).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f') // groups of three, no number
const brief = (x) => x === null || x === undefined ? '' : Number(x).toLocaleString('en', { maximumSignificantDigits: 4 })
const table = (heads, lines) => tag('table', {}, tag('thead', {}, tag('tr', {}, heads.map((h) => tag('th', { scope: 'col' }, h)))),
  tag('tbody', {}, lines.map((l) => tag('tr', {}, l.map((c) => c instanceof Node && c.tagName === 'TD' ? c : tag('td', {}, c))))))
// what is odd, the worst first, and what to do about it
const ranks = ['critical', 'error', 'warning', 'note']
const alarms = (list) => tag('ul', { class: 'alarms' }, list.map((a) => [(ranks.indexOf(a[0]) + 5) % 5, ...a]).sort((a, b) => a[0] - b[0])
  .map(([, severity, what, value, hint]) => tag('li', { class: severity }, tag('b', {}, what), `: ${severity}, ${text(value)}`, hint ? [tag('br'), tag('small', {}, hint)] : '')))
const right = (c) => tag('td', { class: 'n' }, c)

async function ask (url) {
  const response = await fetch(url)
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.error + (answer.hint ? ` (${answer.hint})` : ''))
  return answer
}
const say = (message, wrong) => { $('status').textContent = message; $('status').className = wrong ? 'error' : '' }
const show = (...content) => $('page').replaceChildren(...content)
const tried = (work) => async (...args) => { try { await work(...args) } catch (e) { say(e.message, true) } }

// Land is drawn in the plane: a ring that crosses the antimeridian goes on beyond 180 degrees, one around a pole
// goes along its parallel, and what is drawn comes again on the other side.
function flat (ring) {
  let turn = 0
  const out = ring.map(([lon, lat], i) => {
    if (i > 0 && Math.abs(lon - ring[i - 1][0]) > 180) turn += lon < ring[i - 1][0] ? 360 : -360
    return [lon + turn, lat]
  })
  if (turn !== 0) {
    const pole = Math.sign(ring.reduce((s, [, lat]) => s + lat, 0)) * 85.05
    out.push([out.at(-1)[0], pole], [out[0][0], pole], out[0])
  }
  return out
}
const shifted = (polygon, by) => polygon.map((ring) => ring.map(([lon, lat]) => [lon + by, lat]))
async function land () {
  const all = await ask('/api/land')
  for (const { geometry } of all.features) {
    const polygons = (geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates).map((p) => p.map(flat))
    geometry.coordinates = polygons.flatMap((p) => {
      const lons = p[0].map(([lon]) => lon)
      return [p, ...(Math.max(...lons) > 180 ? [shifted(p, -360)] : []), ...(Math.min(...lons) < -180 ? [shifted(p, 360)] : [])]
    })
    geometry.type = 'MultiPolygon'
  }
  return all
}

// ---- the map ----
const map = new MapView({
  container: 'map',
  center: [10, 30],
  zoom: 1.2,
  attributionControl: false,
  style: { version: 8, sources: { land: { type: 'geojson', data: await land() } },
    layers: [{ id: 'sea', type: 'background', paint: { 'background-color': '#e3eaf0' } }, { id: 'land', type: 'fill', source: 'land', paint: { 'fill-color': '#fff' } },
      { id: 'coast', type: 'line', source: 'land', paint: { 'line-color': '#7b8794', 'line-width': 0.6 } }] }
})
map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
const marker = new Marker({ color: '#d97706' })
window.explorer = { map, ready: false } // for tests

const wanted = () => {
  const units = Number($('units').value)
  const resources = $('resource').value ? { [$('resource').value]: units } : {}
  return new URLSearchParams({ radius_m: Number($('radius').value) * 1000, resources: JSON.stringify(resources) })
}

const draw = tried(async () => {
  const layer = document.querySelector('[name=layer]:checked').value
  const mine = ++drawn
  window.explorer.ready = false
  if (!epoch?.digest) { $('legend').replaceChildren(); return say(none) }
  const query = layer === 'reward' ? `?${wanted()}` : ''
  say('drawing …')
  const { classes, cells } = await ask(`/api/field/${epoch.digest}/${layer}${query}`)
  if (mine !== drawn) return // another one was asked for meanwhile
  if (map.getLayer('cells')) map.removeLayer('cells')
  if (map.getLayer('nodes')) map.removeLayer('nodes')
  if (map.getSource('cells')) map.removeSource('cells')
  const steps = classes.slice(0, -1).slice(0, 6)
  const scale = steps.length > 1 ? ['step', ['get', 'value'], colors[layer][0], ...steps.slice(1).flatMap((s, i) => [s, colors[layer][i + 1]])] : colors[layer][3]
  if (cells > 0) {
    map.addSource('cells', { type: 'vector', tiles: [`${location.origin}/tiles/${epoch.digest}/${layer}/{z}/{x}/{y}${query}`], maxzoom: 8 })
    map.addLayer({ id: 'cells', type: 'fill', source: 'cells', 'source-layer': 'coverage', paint: { 'fill-color': scale, 'fill-opacity': 0.8, 'fill-antialias': false } }, 'coast')
  }
  const nodes = await ask(`/api/epochs/${epoch.epoch_id}/nodes`)
  if (mine !== drawn) return
  const data = { type: 'FeatureCollection', features: nodes.map((n) => ({ type: 'Feature', properties: { provider: n.provider_id, node: n.node_id }, geometry: { type: 'Point', coordinates: [n.lon, n.lat] } })) }
  if (map.getSource('nodes')) map.getSource('nodes').setData(data)
  else map.addSource('nodes', { type: 'geojson', data })
  map.addLayer({ id: 'nodes', type: 'circle', source: 'nodes', paint: { 'circle-radius': 2.2, 'circle-color': '#14213d', 'circle-stroke-color': '#fff', 'circle-stroke-width': 0.7 } })
  mark()
  $('legend').setAttribute('aria-label', `${says[layer]}, from ${brief(classes[0])} to ${brief(classes.at(-1))}`)
  $('legend').replaceChildren(tag('span', {}, `${says[layer]}: ${brief(classes[0])}\u2002`), ...colors[layer].slice(0, Math.max(1, steps.length)).map((c) => { const i = tag('i'); i.style.background = c; return i }), tag('span', {}, `\u2002${brief(classes.at(-1))}`))
  say(`${cells.toLocaleString('en')} cells, ${nodes.length.toLocaleString('en')} nodes`)
  map.once('idle', () => { window.explorer.ready = true })
})

// Nodes of which a page tells stand out on the map: those whose property key has this value.
let marked
function mark (key, value) {
  if (arguments.length > 0) marked = [key, value]
  if (!map.getLayer('nodes')) return
  const those = (yes, no) => marked?.[0] ? ['case', ['==', ['get', marked[0]], marked[1]], yes, no] : no
  map.setLayoutProperty('nodes', 'circle-sort-key', those(1, 0))
  map.setPaintProperty('nodes', 'circle-radius', those(5, 2.2))
  map.setPaintProperty('nodes', 'circle-color', those('#d97706', '#14213d'))
}

// ---- pages ----
const none = 'no epoch is computed yet'
const simulate = tried(async (lon, lat) => {
  if (!epoch) return say(none)
  $('lon').value = lon.toFixed(3)
  $('lat').value = lat.toFixed(3)
  if (!location.hash.match(/^#?\/?$/)) history.replaceState(null, '', '#/')
  current()
  marker.setLngLat([lon, lat]).addTo(map)
  const query = wanted()
  query.set('lon', lon)
  query.set('lat', lat)
  query.set('epoch', epoch.epoch_id)
  const parts = await ask(`/api/simulate?${query}`)
  show(tag('p', { class: 'big', id: 'total' }, `${money(parts[0].total)} base units`), tag('p', {}, `in epoch ${epoch.epoch_id}, had it been there from its beginning:`),
    table(['for', 'score', 'amount'], parts.map((p) => [[tag('span', {}, p.name), tag('br'), tag('small', {}, p.component)], right([brief(p.score), tag('br'), tag('small', {}, p.unit)]), right(money(p.amount))])))
})
const asked = () => simulate(Number($('lon').value), Number($('lat').value))

const pages = {
  async epoch (id = epoch?.epoch_id) {
    if (!id) return show(tag('p', {}, none))
    const { epoch: e, pools, checks, health } = await ask(`/api/epochs/${id}`)
    show(tag('h2', {}, `Epoch ${e.epoch_id}`), tag('p', {}, `${e.starts_at.slice(0, 16).replace('T', ' ')} to ${e.ends_at.slice(0, 16).replace('T', ' ')} UTC, ${e.status}${e.held_reason ? `, held: ${e.held_reason}` : ''}; policy ${e.policy ?? ''}, budget ${money(e.budget)}`),
      tag('h3', {}, 'Pools'), table(['had', 'ceiling', 'paid'], pools.flatMap((p) => [
        [tag('td', { colspan: 3, class: 'of' }, tag('b', {}, p.component), tag('br'), tag('small', {}, p.reason))],
        [money(BigInt(p.budget) + BigInt(p.carried_in)), p.price_max === null ? 'none' : [p.price_max, tag('br'), tag('small', {}, `per ${p.unit}`)], right(money(p.paid))]])),
      tag('h3', {}, 'Checks'), checks.length ? alarms(checks.map((c) => [c.severity, c.check, c.value, c.hint])) : tag('p', {}, 'nothing is odd'),
      tag('h3', {}, 'Health'), health.length ? alarms(health.map((h) => [h.severity, h.check, h.value, h.severity === 'ok' ? '' : h.what_to_do])) : tag('p', {}, 'no alarm'),
      tag('p', {}, tag('small', {}, `digest ${e.digest ?? 'none'}`)))
  },
  async providers () {
    const list = await ask('/api/providers')
    show(tag('h2', {}, 'Providers'), tag('ul', {}, list.map((p) => tag('li', {}, tag('a', { href: `#/provider/${p.provider_id}` }, p.name)))))
  },
  async provider (id) {
    const { provider, balance, statement, nodes } = await ask(`/api/providers/${id}`)
    mark('provider', provider.provider_id)
    show(tag('h2', {}, provider.name), balance ? tag('p', {}, tag('span', { class: 'big' }, `${money(balance.balance_text)} base units`), ` open${balance.waits_for ? `; waits for ${balance.waits_for}` : ''}`) : tag('p', {}, 'nothing was credited yet'),
      tag('h3', {}, 'Statement'), statement.length === 0 ? tag('p', {}, 'nothing was earned yet') : table(['epoch', 'earned'], statement.map((s) => [tag('a', { href: `#/epoch/${s.epoch_id}` }, `${s.epoch_id}, from ${s.starts_at.slice(0, 10)}`), right(money(s.total))])),
      tag('h3', {}, 'Nodes, and their quality'), nodes.length === 0 ? tag('p', {}, 'none in the last epoch') : table(['node', 'availability', 'performance', 'place', 'earned'], nodes.map((n) => [tag('a', { href: `#/explain/${n.epoch_id}/${n.node_id}` }, n.name ?? `node ${n.node_id}`), right(brief(n.availability)), right(brief(n.performance)), right(brief(n.place_trust)), right(money(n.total ?? '0'))])))
  },
  async explain (epochId, node) {
    const { node: n, terms } = await ask(`/api/explain/${epochId}/${node}`)
    const better = terms.filter((t) => t.hint)
    mark('node', node)
    if (n && !map.getBounds().contains([n.lon, n.lat])) map.easeTo({ center: [n.lon, n.lat] })
    show(tag('h2', {}, `${n?.name ?? `Node ${node}`} in epoch ${epochId}`), n ? tag('p', {}, tag('a', { href: `#/provider/${n.provider_id}` }, n.provider), n.region ? `, in region ${n.region}` : '') : '', tag('h3', {}, 'What would have raised it'), better.length ? tag('ul', {}, better.map((t) => tag('li', { class: 'hint' }, `${t.component}, ${t.term}: ${t.hint}`))) : tag('p', {}, 'nothing that is known here'),
      tag('h3', {}, 'How each amount came about'), table(['term, and how', 'value'], terms.map((t) => [[`${t.component}: ${t.term}`, tag('br'), tag('small', {}, t.formula)], tag('td', { class: 'v' }, t.term === 'amount' ? money(t.value) : t.value)])))
  }
}
function current () {
  const page = location.hash.split('/')[1] || ''
  for (const a of document.querySelectorAll('nav a')) a.toggleAttribute('aria-current', a.hash.split('/')[1] === page)
  $('node').hidden = page !== ''
}
const route = tried(async () => {
  const [, page, ...args] = location.hash.split('/')
  current()
  mark(null)
  marker.remove()
  if (!page) return show(tag('p', {}, 'Click the map, or give a place.'))
  if (!Object.hasOwn(pages, page)) return show(tag('p', {}, 'There is no such page.'))
  await pages[page](...args)
})

const load = tried(async () => {
  epochs = await ask('/api/epochs')
  const before = $('epoch').value
  $('epoch').replaceChildren(...epochs.filter((e) => e.digest).reverse().map((e) => tag('option', { value: e.epoch_id }, `${e.epoch_id}: ${e.starts_at.slice(0, 10)}, ${e.status}`)))
  if (epochs.some((e) => e.epoch_id === before && e.digest)) $('epoch').value = before
  epoch = epochs.find((e) => e.epoch_id === $('epoch').value)
})

// ---- what is done ----
map.on('click', (e) => simulate(e.lngLat.wrap().lng, e.lngLat.lat))
map.getCanvas().addEventListener('keydown', (e) => { if (e.key === 'Enter') { const c = map.getCenter().wrap(); simulate(c.lng, c.lat) } })
$('node').addEventListener('submit', (e) => { e.preventDefault(); asked() })
for (const id of ['units', 'resource', 'radius']) $(id).addEventListener('change', () => { if (document.querySelector('[name=layer]:checked').value === 'reward') draw() })
$('layers').addEventListener('change', draw)
$('epoch').addEventListener('change', () => { epoch = epochs.find((e) => e.epoch_id === $('epoch').value); draw(); route() })
addEventListener('hashchange', route)
new EventSource('/api/events').addEventListener('message', async () => {
  await load()
  draw()
  if (location.hash.split('/')[1] || !$('total')) route()
  else asked() // what was asked of the map is asked again
})

await Promise.all([load(), ask('/api/resources').then((list) => $('resource').replaceChildren(...list.map((r) => tag('option', { value: r.code }, `${r.name ?? r.code} (${r.unit})`)))), new Promise((resolve) => map.once('load', resolve))])
route()
draw()
