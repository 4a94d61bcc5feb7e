// `npm start`: sets up, builds, and serves the demo and the docs.
import { existsSync } from 'node:fs'
import { buildAnyWeight } from './build.mjs'
import { at, main, say, Trouble } from './lib.mjs'

main(async () => {
  await buildAnyWeight({ purpose: 'demo' })
  const configFile = at('www/vite.config.ts')
  if (!existsSync(configFile)) throw new Trouble('www/vite.config.ts is missing: there is no demo to serve')
  // Both are built and served as they would be deployed, with their Content-Security-Policies.
  const { buildSite } = await import('../www/scripts/site.mjs')
  await buildSite()
  const vite = await import('vite')
  // If the port is taken, Vite uses the next free one.
  const server = await vite.preview({
    root: at('www'),
    configFile,
    clearScreen: false,
    logLevel: 'warn',
    preview: { port: Number(process.env.PORT) || 5173, strictPort: false },
  })
  const [url] = server.resolvedUrls.local
  say(`\n  The demo is at  ${url}\n  The docs are at ${url}docs/  (Ctrl+C ends both)\n`)
})
