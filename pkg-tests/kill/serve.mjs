// The web server for the pages that are killed. It serves this folder and dist. Each page has a WebSocket, so that its
// messages leave the browser at once.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { at } from '../../scripts/lib.mjs'
import { patiently } from './loop.mjs'

const TYPES = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript',
  mjs: 'text/javascript',
  wasm: 'application/wasm',
}
const OPCODE = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 }

/**
 * Starts the server. Resolves to { origin, page(), close() }. `page` resolves to the next page that connects: { send,
 * onMessage, gone }.
 */
export async function serve() {
  const sockets = new Set()
  const arrived = []
  const waiting = []
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://x').pathname
    const file = /^\/(dist|pkg-tests\/kill)\/[\w.-]+$/.test(path) ? path : undefined
    try {
      response.setHeader('Content-Type', TYPES[path.split('.').at(-1)])
      response.setHeader('Cache-Control', 'no-store')
      response.end(readFileSync(at(file.slice(1))))
    } catch {
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('not here')
    }
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket) => {
    const accept = createHash('sha1')
      .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest('base64')
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ` +
        `${accept}\r\n\r\n`,
    )
    const page = speak(socket)
    page.onMessage = (message) => {
      if (message.saw) return void page.saw.push(message.saw)
      if (waiting.length) waiting.shift()(page)
      else arrived.push(page)
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    port: server.address().port,
    page: (what) =>
      patiently(
        arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve)),
        what,
      ),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Makes a page of a WebSocket. Messages in both directions are texts of JSON. */
function speak(socket) {
  let rest = Buffer.alloc(0)
  let parts = []
  const page = {
    onMessage: () => {},
    saw: [],
    // Resolves after all messages have been read.
    gone: new Promise((resolve) => socket.on('close', resolve)),
    send(message) {
      const text = Buffer.from(JSON.stringify(message))
      if (text.length > 125) throw new Error('too long for a frame of this kind')
      socket.write(Buffer.concat([Buffer.from([0x80 | OPCODE.text, text.length]), text]))
    },
  }
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.on('data', (bytes) => {
    rest = rest.length ? Buffer.concat([rest, bytes]) : bytes
    for (let frame; (frame = take());) {
      if (frame.opcode === OPCODE.close) socket.end()
      if (frame.opcode === OPCODE.ping) socket.write(Buffer.from([0x80 | OPCODE.pong, 0]))
      if (frame.opcode !== OPCODE.text && frame.opcode !== OPCODE.continuation) continue
      parts.push(frame.payload)
      if (!frame.last) continue
      const text = Buffer.concat(parts).toString()
      parts = []
      page.onMessage(JSON.parse(text))
    }
  })

  function take() {
    if (rest.length < 2) return undefined
    let length = rest[1] & 0x7f
    let at = 2
    if (length === 126) {
      if (rest.length < 4) return undefined
      length = rest.readUInt16BE(2)
      at = 4
    } else if (length === 127) {
      if (rest.length < 10) return undefined
      length = Number(rest.readBigUInt64BE(2))
      at = 10
    }
    if (rest.length < at + 4 + length) return undefined
    const mask = rest.subarray(at, at + 4)
    const payload = Buffer.from(rest.subarray(at + 4, at + 4 + length))
    for (let i = 0; i < length; i++) payload[i] ^= mask[i % 4]
    const frame = { last: (rest[0] & 0x80) !== 0, opcode: rest[0] & 15, payload }
    rest = rest.subarray(at + 4 + length)
    return frame
  }
  return page
}
