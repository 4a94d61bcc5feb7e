// Builds the docs: the API reference from the types, the site, and the index of its search. Alone,
// `node www/scripts/docs.mjs` needs only a built package.
import { rmSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { at, isMain, main, run, step } from '../../scripts/lib.mjs'
import { writeIndex } from '../search/index.mjs'

/** `base` is the folder of the host in which the site with demo and docs will be. */
export async function buildDocs({ base = '/', outDir = at('www/dist/docs') } = {}) {
  await step('API reference', async () => {
    rmSync(at('docs/api'), { recursive: true, force: true }) // pages of types that are gone
    await run(process.execPath, [at('node_modules/typedoc/bin/typedoc')], { quiet: true })
  })
  // A process of its own, because VitePress changes the environment, and other parts of a build would read it.
  await step('docs', () =>
    run(process.execPath, [at('node_modules/vitepress/bin/vitepress.js'), 'build', at('docs'), '--outDir', outDir], {
      env: { NIDUS_SITE_BASE: base, NODE_ENV: 'production' },
      quiet: true,
    }),
  )
  await step('index of the docs', () => writeIndex(outDir))
}

if (isMain(import.meta.url)) {
  const { values } = parseArgs({ options: { base: { type: 'string' }, out: { type: 'string' } } })
  main(() => buildDocs({ base: values.base, outDir: values.out }))
}
