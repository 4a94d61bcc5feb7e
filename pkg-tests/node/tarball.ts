// The package as users get it, in a folder of its own.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { chromium } from 'playwright'
import { chromium as launchOptions } from '../../scripts/browsers.mjs'
import { pack } from '../common/pack.mjs'

export { serveFolder } from '../common/serve.mjs'

export const repository = fileURLToPath(new URL('../../', import.meta.url))

/** A program in the folder, in the environment of a user: without what npm and vitest told this process. */
export async function run(folder: string, command: string, ...args: string[]) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_|node_|vite)/i.test(key)))
  return promisify(execFile)(command, args, {
    cwd: folder,
    env,
    timeout: 600_000,
    shell: process.platform === 'win32' && command === 'npm',
  })
}

/** Packs what was built, and installs that. Returns where it is. */
export async function install(folder: string): Promise<string> {
  if (!existsSync(join(repository, 'dist/node.js'))) throw new Error('the package is not built: npm run build')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'commonjs' }))
  await run(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', await pack(folder))
  return join(folder, 'node_modules/nidus-wasm')
}

export interface Block {
  /** The page and which of its blocks, for people. */
  name: string
  runs: string
  code: string
}

/** The JavaScript of Markdown pages that says where it runs. */
export function blocksOf(paths: string[]): Block[] {
  return paths.flatMap((path) =>
    [...readFileSync(join(repository, path), 'utf8').matchAll(/<!-- runs: (\w+) -->\n+```js\n(.*?)```/gs)].map(
      ([, runs, code], i) => ({ name: `${path}, ${i + 1}`, runs: runs!, code: code! }),
    ),
  )
}

export const guides = () =>
  readdirSync(join(repository, 'www/guides'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `www/guides/${name}`)

/** A page that runs the script and finds the package by its name. */
export const pageWith = (script: string) => `<!doctype html><meta charset="utf-8"><title>A page</title>
<script type="importmap">${JSON.stringify({
  imports: {
    'nidus-wasm': '/node_modules/nidus-wasm/dist/browser.js',
    'nidus-wasm/segment': '/node_modules/nidus-wasm/dist/segment-browser.js',
  },
})}</script>
<script type="module">${script}</script>`

/** A browser on a profile of its own, with what its pages say and complain of. */
export async function openBrowser(profile: string) {
  const context = await chromium.launchPersistentContext(profile, launchOptions)
  const [said, complaints]: [string[], string[]] = [[], []]
  context.on('console', (message) =>
    message.type() === 'log' ? said.push(message.text()) : complaints.push(`${message.type()}: ${message.text()}`),
  )
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error().message}`))
  context.on('requestfailed', (request) => complaints.push(`not loaded: ${request.url()}`))
  return { context, said, complaints }
}
