// pictures.js DIRECTORY: the page in headless Chromium, as explorer.webp (what a node would earn, and one in Istanbul) and
// explorer-narrow.webp (a provider, on a telephone). `make pictures` writes those of doc/, of the README's network.
import { launch, start } from './drive.js'

const { service, url } = await start()
const browser = await launch()
const page = await browser.newPage()
page.setDefaultTimeout(180000)
const shot = async (name) => {
  await page.waitForFunction('window.explorer?.ready')
  await page.waitForFunction('window.explorer.map.loaded()')
  await page.screenshot({ path: `${process.argv[2]}/${name}.webp`, type: 'webp', quality: 70 })
}
await page.setViewport({ width: 1280, height: 700 })
await page.goto(url, { waitUntil: 'domcontentloaded' })
await page.waitForFunction('window.explorer?.ready')
await page.click('[name=layer][value=reward]')
await page.waitForFunction('!window.explorer.ready')
await page.waitForFunction('window.explorer.ready')
await page.$eval('#lon', (e) => { e.value = 29 })
await page.$eval('#lat', (e) => { e.value = 41 })
await page.click('#node button')
await page.waitForSelector('#total')
await shot('explorer')
await page.click('[name=layer][value=served]')
await page.waitForFunction('!window.explorer.ready')
await page.setViewport({ width: 390, height: 780 })
const providers = await (await fetch(`${url}api/providers`)).json()
const google = providers.find((p) => p.name.startsWith('Google')) ?? providers[0]
await page.evaluate((id) => { location.hash = `#/provider/${id}` }, google.provider_id)
await page.waitForSelector('#page a[href^="#/explain/"]')
await shot('explorer-narrow')
await browser.close()
service.removeAllListeners('exit')
service.kill()
