// `npm run build:www`: builds the whole site into www/dist, for any static host: the demo, and the docs in its `docs`.
// `--base /nidus-wasm/` names the folder of the host, if it is not the host's root.
import { parseArgs } from 'node:util'
import { buildAnyWeight } from '../../scripts/build.mjs'
import { at, isMain, main, say, step } from '../../scripts/lib.mjs'
import { buildDocs } from './docs.mjs'

/** Builds the demo and the docs. The package must be built. */
export async function buildSite({ base } = {}) {
  const { build: vite } = await import('vite')
  await step('vite build of the demo', () =>
    vite({ root: at('www'), configFile: at('www/vite.config.ts'), clearScreen: false, logLevel: 'warn' }),
  )
  await buildDocs({ base })
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({ options: { base: { type: 'string' } } })
  main(async () => {
    await buildAnyWeight({ purpose: 'demo' })
    await buildSite(values)
    say('the site is in www/dist')
  })
}
