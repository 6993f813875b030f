// Starts the service on a free port, and headless Chromium, for test.js and pictures.js.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter } from 'node:path'

export const chromium = process.env.PATH.split(delimiter).flatMap((d) => ['chromium', 'chromium-browser', 'google-chrome'].map((n) => `${d}/${n}`)).find(existsSync)

export async function start () {
  const service = spawn(process.execPath, ['server.js'], { env: { ...process.env, PORT: '0' }, stdio: ['ignore', 'pipe', 'inherit'] })
  process.on('exit', () => service.kill())
  const url = await new Promise((resolve, reject) => {
    service.stdout.on('data', (d) => { const m = /(http\S+)/.exec(d); if (m) resolve(m[1]) })
    service.on('exit', () => reject(new Error('the service ended')))
  })
  return { service, url }
}

// without a graphics card, and as root too
export async function launch () {
  const { default: puppeteer } = await import('puppeteer-core')
  return puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist', '--hide-scrollbars'], protocolTimeout: 300000 })
}
