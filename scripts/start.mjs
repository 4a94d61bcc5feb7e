// `npm start`: sets up, builds, and serves the demo.
import { existsSync } from 'node:fs'
import { buildAnyWeight } from './build.mjs'
import { at, main, say, step, Trouble } from './lib.mjs'

main(async () => {
  await buildAnyWeight({ purpose: 'demo' })
  const configFile = at('www/vite.config.ts')
  if (!existsSync(configFile)) throw new Trouble('www/vite.config.ts is missing: there is no demo to serve')
  const vite = await import('vite')
  const common = { root: at('www'), configFile, clearScreen: false, logLevel: 'warn' }
  // The demo is built and served as it would be deployed, with its Content-Security-Policy.
  await step('vite build of the demo', () => vite.build(common))
  // If the port is taken, Vite uses the next free one.
  const server = await vite.preview({
    ...common,
    preview: { port: Number(process.env.PORT) || 5173, strictPort: false },
  })
  say(`\n  The demo is at  ${server.resolvedUrls.local[0]}  (Ctrl+C ends it)\n`)
})
