// cloud_sites.mjs OLDER NEWER: writes cloud_sites.csv from two editions of the npm package @adaptivelink/pops, each given as its file
// dist/bundle.js (named .mjs). A site is a company and the airport that is nearest to its machines.
import { pathToFileURL } from 'node:url'
import { writeFileSync } from 'node:fs'

const [older, newer] = await Promise.all(process.argv.slice(2, 4).map(async (file) => (await import(pathToFileURL(file))).default))
// those that rent out machines of their own; the package also has networks for content and who rents from others
const companies = 'alibaba arubacloud atlanticnet cloudsigma digitalocean ec2 equinix googlecompute hetzner hostwinds ionos kamatera leapswitch lightsail linode ovh packet upcloud vultr'.split(' ')
const lines = ['company,airport,lat,lon,since,until']
for (const company of companies) {
  const then = new Set(older[company]?.code)
  const now = new Set(newer[company]?.code)
  for (const airport of [...new Set([...then, ...now])].sort()) {
    const [lat, lon] = (newer[airport] ?? older[airport]).geo
    lines.push([company, airport, lat, lon, then.has(airport) ? '0.2.10' : '0.5.8', now.has(airport) ? '' : '0.2.10'].join())
  }
}
writeFileSync(new URL('cloud_sites.csv', import.meta.url), lines.join('\n') + '\n')
