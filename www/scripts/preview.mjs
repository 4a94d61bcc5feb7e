import { join } from 'node:path'
import { build, preview } from 'vite'
import { buildAnyWeight } from '../../scripts/build.mjs'
import { at, say, step, Trouble } from '../../scripts/lib.mjs'
import { ensureModel } from './model.mjs'

/** Builds the package and the page, and serves the page, which lies in `folder`. Returns the server and its address. */
export async function previewPage(folder) {
  await buildAnyWeight({ purpose: 'demo' })
  if (!(await ensureModel({ log: say }))) throw new Trouble('there is no local copy of the language model')
  const common = {
    root: at('www'),
    configFile: at('www/vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: join(folder, 'site') },
  }
  await step('vite build of the page', () => build(common))
  const server = await preview({ ...common, preview: { host: '127.0.0.1', port: 0 } })
  return { server, url: `http://127.0.0.1:${server.httpServer.address().port}/` }
}
