// Serves the two files of a store as web servers do. On demand it does it wrongly.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'

/**
 * Starts a server. `files` returns the bytes of an address. `ways` can be changed while the server runs:
 *   ranges: false      answers each request with the whole file
 *   gzip: true         compresses whole files, as some servers do
 *   etags: 'weak' | false    sends weak ETags or none, and strong ones otherwise
 *   dates: false       sends no Last-Modified
 *   deaf: true         ignores If-Match
 *   cut: n             ends answers too early, after n bytes
 *   short: n           sends n bytes less than it announces
 *   shifted: true      sends another range than the requested one
 *   status: n          answers every request with this status
 *   slow: ms           waits before it answers
 *   head: n            answers HEAD with this status
 *   page: true         answers every request with a page, and 200
 *   endless: true      announces the length only in the range, and never ends its bodies
 *   longer: n          sends n bytes more than the file has, without a Content-Length
 *   silent(path, asked)    whether a request is never answered: 'head' not at all, 'body' only with its head
 *   break(path)        breaks one file: a status as `status`, or 'cut'
 */
export async function serveStatic(files, ways = {}, others = () => undefined) {
  const asked = []
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const other = others(pathname)
    if (other) return response.writeHead(200, { 'content-type': other.type }).end(other.bytes)
    const bytes = files(pathname)
    asked.push({ method: request.method, pathname, range: request.headers.range, sent: 0, headers: request.headers })
    const mine = asked.at(-1)
    if (ways.slow) await new Promise((resolve) => setTimeout(resolve, ways.slow))
    const silent = ways.silent?.(pathname, asked)
    if (silent === 'head') return ways.onSilent?.()
    if (ways.page)
      return response
        .writeHead(200, { 'content-type': 'text/html' })
        .end(`<!doctype html><title>Home</title>${'.'.repeat(500)}`)
    if (ways.head && request.method === 'HEAD') return response.writeHead(ways.head).end()
    const broken = ways.break?.(pathname)
    if (typeof broken === 'number') return response.writeHead(broken).end()
    if (ways.status) return response.writeHead(ways.status).end()
    if (!bytes) return response.writeHead(404).end()
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    const etag = ways.etags === false ? undefined : ways.etags === 'weak' ? `W/"${hash}"` : `"${hash}"`
    const modified =
      ways.dates === false ? undefined : new Date(1.7e12 + parseInt(hash.slice(0, 6), 16) * 1000).toUTCString()
    const headers = {
      'content-type': 'application/octet-stream',
      ...(etag && { etag }),
      ...(modified && { 'last-modified': modified }),
      ...(ways.headers ?? {}),
    }
    const { 'if-match': match, 'if-none-match': noneMatch, 'if-modified-since': since } = request.headers
    if (match && !ways.deaf && match !== etag) return response.writeHead(412).end()
    if ((noneMatch && noneMatch === etag) || (!noneMatch && since && since === modified))
      return response.writeHead(304, headers).end()
    const send = (status, more, body) => {
      mine.status = status
      mine.sent = body.length
      if (request.method === 'HEAD')
        return response.writeHead(status, { ...headers, ...more, 'content-length': body.length }).end()
      if (silent === 'body' || broken === 'cut') {
        response.writeHead(status, { ...headers, ...more, 'content-length': body.length })
        return response.write(body.subarray(0, body.length >> 1), () =>
          broken ? response.destroy() : ways.onSilent?.(),
        )
      }
      if (ways.endless || ways.longer) {
        response.writeHead(status, { ...headers, ...more })
        response.write(body)
        if (ways.longer) return response.end(Buffer.alloc(ways.longer))
        const go = () => !response.destroyed && response.write(Buffer.alloc(65_536), () => setImmediate(go))
        response.on('close', () => ways.onCut?.())
        return go()
      }
      if (ways.cut !== undefined && body.length > ways.cut) {
        response.writeHead(status, { ...headers, ...more, 'content-length': body.length })
        return response.write(body.subarray(0, ways.cut), () => response.destroy())
      }
      response.writeHead(status, { ...headers, ...more, 'content-length': body.length }).end(body)
    }
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
    if (from === undefined || ways.ranges === false)
      return ways.gzip ? send(200, { 'content-encoding': 'gzip' }, gzipSync(bytes)) : send(200, {}, bytes)
    if (Number(from) >= bytes.length)
      return response.writeHead(416, { ...headers, 'content-range': `bytes */${bytes.length}` }).end()
    const start = Number(from) + (ways.shifted ? 1 : 0)
    const part = bytes.subarray(start, Number(to) + 1)
    send(
      206,
      { 'content-range': `bytes ${start}-${start + part.length - 1}/${bytes.length}` },
      ways.short ? part.subarray(ways.short) : part,
    )
  })
  const listen = (port) => new Promise((listening) => server.listen(port, '127.0.0.1', listening))
  await listen(0)
  const { port } = server.address()
  return {
    origin: `http://127.0.0.1:${port}/`,
    ways,
    asked,
    stop() {
      server.closeAllConnections()
      return new Promise((closed) => server.close(closed))
    },
    start: () => listen(port),
  }
}

/** Returns the function `files` for the store in a directory, served under an address. */
export const directory = (at, dir) => {
  const read = new Map(['data', 'log'].map((name) => [`${at}${name}`, readFileSync(`${dir}/${name}`)]))
  return (path) => read.get(path)
}
