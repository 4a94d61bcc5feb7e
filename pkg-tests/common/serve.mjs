// A very plain server: it sends no header except the type.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
}

export async function serveFolder(folder, headers = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    if (pathname === '/favicon.ico') return response.writeHead(204).end()
    try {
      const bytes = await readFile(join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname))
      response
        .writeHead(200, {
          ...headers,
          'content-type':
            TYPES[extname(pathname)] ?? (pathname.endsWith('/') ? 'text/html' : 'application/octet-stream'),
        })
        .end(bytes)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    origin: `http://127.0.0.1:${server.address().port}/`,
    stop() {
      server.closeAllConnections()
      server.close()
    },
  }
}
