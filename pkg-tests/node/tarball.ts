// The package as users get it, in a new folder.
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

/** Runs a program in the folder, in the environment of a user: without the variables of npm and vitest. */
export async function run(folder: string, command: string, ...args: string[]) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([key]) => !/^(npm_|node_|vite)/i.test(key)))
  return promisify(execFile)(command, args, {
    cwd: folder,
    env,
    timeout: 600_000,
    shell: process.platform === 'win32' && command === 'npm',
  })
}

/** Packs the build and installs it. Returns the folder. */
export async function install(folder: string): Promise<string> {
  if (!existsSync(join(repository, 'dist/node.js'))) throw new Error('the package is not built: npm run build')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'commonjs' }))
  await run(folder, 'npm', 'install', '--offline', '--no-audit', '--no-fund', await pack(folder))
  return join(folder, 'node_modules/nidus-wasm')
}

interface Block {
  /** The page and the number of the block, for the names of tests. */
  name: string
  runs: string
  code: string
}

/** Returns the blocks of JavaScript in Markdown pages that are marked with where they run. */
export function blocksOf(paths: string[]): Block[] {
  return paths.flatMap((path) =>
    [...readFileSync(join(repository, path), 'utf8').matchAll(/<!-- runs: (\w+) -->\n+```js\n(.*?)```/gs)].map(
      ([, runs, code], i) => ({ name: `${path}, ${i + 1}`, runs: runs!, code: code! }),
    ),
  )
}

/** Returns the pages of the docs that are for users. The tutorial has a test of its own. */
export const guides = () =>
  ['docs', 'docs/guides', 'docs/explanations'].flatMap((folder) =>
    readdirSync(join(repository, folder))
      .filter((name) => name.endsWith('.md') && name !== 'tutorial.md')
      .map((name) => `${folder}/${name}`),
  )

/** Returns a page that runs the script. The script can import the package by its name. */
export const pageWith = (script: string) => `<!doctype html><meta charset="utf-8"><title>A page</title>
<script type="importmap">${JSON.stringify({
  imports: {
    'nidus-wasm': '/node_modules/nidus-wasm/dist/browser.js',
    'nidus-wasm/live': '/node_modules/nidus-wasm/dist/live.js',
    'nidus-wasm/segment': '/node_modules/nidus-wasm/dist/segment-browser.js',
    'nidus-wasm/text': '/node_modules/nidus-wasm/dist/text-index-browser.js',
    'nidus-wasm/text/transformers': '/node_modules/nidus-wasm/dist/transformers-browser.js',
  },
})}</script>
<script type="module">${script}</script>`

/** Starts a browser with this profile. Collects what its pages print, and their errors. */
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
