import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { build } from 'esbuild'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { chromium, firefox } from './scripts/browsers.mjs'

const dist = (name: string) => fileURLToPath(new URL(`./dist/${name}`, import.meta.url))

/** The tests import the package by its name and get what was built, by the condition of the runtime they run in. */
const built = (entry: string, segment: string) => [
  { find: /^nidus-wasm$/, replacement: dist(entry) },
  { find: /^nidus-wasm\/segment$/, replacement: dist(segment) },
  { find: /^nidus-wasm\/durable-object$/, replacement: dist('durable-object.js') },
  ...['slim', 'inline'].map((name) => ({ find: new RegExp(`^nidus-wasm/${name}$`), replacement: dist(`${name}.js`) })),
  { find: /^nidus-wasm\/langchain$/, replacement: dist('langchain.js') },
  { find: /^nidus-wasm\/worker$/, replacement: dist('worker.js') },
  { find: /^nidus-wasm\/nidus\.wasm/, replacement: dist('nidus.wasm') },
  ...['nidus-relaxed', 'nidus-page', 'nidus-page-relaxed'].map((name) => ({
    find: new RegExp(`^nidus-wasm/${name}\\.wasm`),
    replacement: dist(`${name}.wasm`),
  })),
]

/** /service-worker.js, as whoever uses the package would bundle theirs. */
const serviceWorker: Plugin = {
  name: 'service-worker',
  configureServer: ({ middlewares }) =>
    void middlewares.use('/service-worker.js', async (request, response) => {
      const { outputFiles } = await build({
        entryPoints: [fileURLToPath(new URL('./pkg-tests/browser/service-worker.js', import.meta.url))],
        bundle: true,
        write: false,
        format: request.url?.includes('module') ? 'esm' : 'iife',
        logLevel: 'error',
      })
      response
        .setHeader('content-type', 'text/javascript')
        .setHeader('cross-origin-embedder-policy', 'require-corp')
        .end(outputFiles[0]!.text)
    }),
}

/** What a page cannot find out: which objects the public methods' types name. */
const publicTypes: Plugin = {
  name: 'public-types',
  resolveId: (id) => (id === 'virtual:public-types' ? `\0${id}` : undefined),
  load: async (id) =>
    id === '\0virtual:public-types'
      ? 'export const { taken, methods } = ' +
        `${JSON.stringify((await import('./pkg-tests/common/public-types.mjs')).publicTypes())}`
      : undefined,
}

/** Pages do not see the environment of the process. */
const { NIDUS_EVERY_CASE = '' } = process.env

/**
 * Tests wait for events, never for a time: only what hangs, or runs on a machine that does much else, takes so long.
 */
const HANGS = {
  testTimeout: 1_200_000,
  hookTimeout: 1_200_000,
  expect: { poll: { timeout: 600_000 } },
}

export default defineConfig({
  test: {
    projects: [
      {
        resolve: { alias: built('node.js', 'segment-node.js') },
        test: {
          name: 'node',
          environment: 'node',
          include: ['pkg-tests/node/**/*.test.ts'],
          ...HANGS,
          // Node itself loads the package, not Vite's transform of it.
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        resolve: { alias: built('node.js', 'segment-node.js') },
        test: {
          // Node starts the runtimes and browsers, and the package runs in them.
          name: 'runtimes',
          environment: 'node',
          include: ['pkg-tests/{tabs,extension,workerd,webkit,server,sharded}/**/*.test.ts'],
          ...HANGS,
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        resolve: { alias: built('node.js', 'segment-node.js') },
        test: {
          name: 'crash',
          environment: 'node',
          include: ['pkg-tests/crash/**/*.test.ts'],
          ...HANGS,
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        resolve: { alias: built('browser.js', 'segment-browser.js') },
        plugins: [serviceWorker, publicTypes],
        // Nothing is to be found out, and a reload half-way through a run because something was: no.
        optimizeDeps: { noDiscovery: true, include: [] },
        server: {
          headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
        },
        test: {
          name: 'browser',
          env: { NIDUS_EVERY_CASE },
          include: ['pkg-tests/browser/**/*.test.ts'],
          ...HANGS,
          // Both browsers and the tests in them share two cores in CI; OPFS belongs to the origin, so files go one by
          // one.
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            instances: [
              { browser: 'chromium', provider: playwright({ launchOptions: chromium }) },
              { browser: 'firefox', provider: playwright({ launchOptions: firefox }) },
            ],
          },
        },
      },
    ],
  },
})
