import { fileURLToPath } from 'node:url'
import { playwright } from '@vitest/browser-playwright'
import { build } from 'esbuild'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'
import { chromium, firefox } from './scripts/browsers.mjs'

const dist = (name: string) => fileURLToPath(new URL(`./dist/${name}`, import.meta.url))

/** Returns aliases that resolve the package's names to files of dist/: to those that its `exports` give one runtime. */
const built = (entry: string, segment: string) => [
  { find: /^nidus-wasm$/, replacement: dist(entry) },
  { find: /^nidus-wasm\/text$/, replacement: dist(`text-index-${entry}`) },
  {
    find: /^nidus-wasm\/text\/transformers$/,
    replacement: dist(`transformers-${entry === 'node.js' ? 'node' : 'browser'}.js`),
  },
  { find: /^nidus-wasm\/segment$/, replacement: dist(segment) },
  { find: /^nidus-wasm\/durable-object$/, replacement: dist('durable-object.js') },
  ...['slim', 'inline'].map((name) => ({ find: new RegExp(`^nidus-wasm/${name}$`), replacement: dist(`${name}.js`) })),
  ...['langchain', 'live', 'react'].map((name) => ({
    find: new RegExp(`^nidus-wasm/${name}$`),
    replacement: dist(`${name}.js`),
  })),
  { find: /^nidus-wasm\/worker$/, replacement: dist('worker.js') },
  { find: /^nidus-wasm\/nidus\.wasm/, replacement: dist('nidus.wasm') },
  ...['nidus-relaxed', 'nidus-page', 'nidus-first', 'nidus-first-relaxed', 'nidus-rest', 'nidus-rest-relaxed'].map(
    (name) => ({
      find: new RegExp(`^nidus-wasm/${name}\\.wasm`),
      replacement: dist(`${name}.wasm`),
    }),
  ),
]

/** Serves /service-worker.js, bundled as a user of the package would bundle it. */
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

/** Compiles the components of Svelte that tests use. */
const svelte: Plugin = {
  name: 'svelte',
  transform: async (code, id) =>
    id.endsWith('.svelte') ? (await import('svelte/compiler')).compile(code, { filename: id }).js : undefined,
}

/** Gives pages the objects that public methods take. Node reads them from the types, which a page cannot do. */
const publicTypes: Plugin = {
  name: 'public-types',
  resolveId: (id) => (id === 'virtual:public-types' ? `\0${id}` : undefined),
  load: async (id) =>
    id === '\0virtual:public-types'
      ? 'export const { taken, methods } = ' +
        `${JSON.stringify((await import('./pkg-tests/common/public-types.mjs')).publicTypes())}`
      : undefined,
}

/** Pages do not see the environment of the process, so `env` below passes this variable on. */
const { NIDUS_EVERY_CASE = '' } = process.env

/**
 * Time limits. Tests wait for events and not for a time, so only a test that hangs takes so long, even on a busy
 * machine.
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
          // Node loads the package itself. Vite does not transform it.
          server: { deps: { external: [/\/dist\//] } },
        },
      },
      {
        resolve: { alias: built('node.js', 'segment-node.js') },
        test: {
          // The tests run in Node and start other runtimes and browsers, in which the package runs.
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
        plugins: [serviceWorker, publicTypes, svelte],
        define: {
          __VUE_OPTIONS_API__: 'false',
          __VUE_PROD_DEVTOOLS__: 'false',
          __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
        },
        // Vite would look for dependencies and reload the page when it finds one, in the middle of a test.
        // React is CommonJS, which Vite must translate beforehand.
        optimizeDeps: { noDiscovery: true, include: ['react', 'react-dom', 'react-dom/client'] },
        server: {
          headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
        },
        test: {
          name: 'browser',
          env: { NIDUS_EVERY_CASE },
          include: ['pkg-tests/browser/**/*.test.ts'],
          ...HANGS,
          // Files run one after the other. They share OPFS, which belongs to the origin, and CI has only two cores for
          // both browsers.
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
