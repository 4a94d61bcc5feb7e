// The web server for the pages of the benchmarks. It serves dist/ and the npm packages unchanged, this folder's modules
// bundled by esbuild, and the inputs. The pages are isolated from other origins, which makes their clocks finer.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { at } from '../../scripts/lib.mjs'

const bench = fileURLToPath(new URL('..', import.meta.url))
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.cjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.gz': 'application/octet-stream',
}

/**
 * Packages that find their files by import.meta.url are served unchanged. All others are bundled.
 */
const SERVED = {
  '@electric-sql/pglite': '/node_modules/@electric-sql/pglite/dist/index.js',
  '@electric-sql/pglite-pgvector': '/node_modules/@electric-sql/pglite-pgvector/dist/index.js',
}
const asServed = {
  name: 'served',
  setup(build) {
    build.onResolve({ filter: /^@electric-sql\// }, ({ path }) =>
      SERVED[path] ? { path: SERVED[path], external: true } : undefined,
    )
    // Its exports name a file for browsers that does not exist. This is the right one.
    build.onResolve({ filter: /^@duckdb\/duckdb-wasm\/blocking$/ }, () => ({
      path: join(bench, 'node_modules/@duckdb/duckdb-wasm/dist/duckdb-browser-blocking.mjs'),
    }))
  },
}

export async function bundled(entry, options = {}) {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: bench,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // Some packages import Node's modules in branches that no browser enters.
    external: [
      'node:*',
      'fs',
      'path',
      'url',
      'crypto',
      'module',
      'worker_threads',
      'os',
      'perf_hooks',
      'vm',
      'child_process',
    ],
    logLevel: 'silent',
    ...options,
  })
  return outputFiles[0].contents
}

/** Starts the server. `files`: the inputs, by their names in URLs. */
export async function serve({ wall, files }) {
  const bundles = new Map()
  const fetched = []
  const bundle = (path) => {
    if (!bundles.has(path)) bundles.set(path, bundled(join(bench, path), { plugins: [asServed] }))
    return bundles.get(path)
  }
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://x').pathname)
    const headers = {
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Cache-Control': 'no-store',
    }
    const send = (bytes, type) =>
      response.writeHead(200, { ...headers, 'Content-Type': type, 'Content-Length': bytes.length }).end(bytes)
    try {
      if (path.includes('..')) throw new Error('no')
      if (path.startsWith('/dist/')) fetched.push(path.slice(6))
      const type = TYPES[extname(path)] ?? 'application/octet-stream'
      if (path === '/page.html') return send(readFileSync(join(bench, 'runtimes/page.html')), type)
      if (path === '/wall.wasm') return send(readFileSync(wall), type)
      if (path.startsWith('/inside/')) return send(readFileSync(join(bench, path)), type)
      if (path.startsWith('/bundle/')) return send(Buffer.from(await bundle(path.slice(8))), 'text/javascript')
      const file = path.startsWith('/dist/')
        ? at(path.slice(1))
        : path.startsWith('/node_modules/')
          ? join(bench, path)
          : files.get(path.slice('/input/'.length))
      if (!file || !existsSync(file)) throw new Error('not here')
      response.writeHead(200, { ...headers, 'Content-Type': type, 'Content-Length': statSync(file).size })
      createReadStream(file).pipe(response)
    } catch (error) {
      response.writeHead(404, { ...headers, 'Content-Type': 'text/plain' }).end(String(error))
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    fetched,
    close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))),
  }
}
