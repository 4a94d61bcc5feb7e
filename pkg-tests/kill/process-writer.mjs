// A writer in a process of Node, Deno or Bun. It reads its orders from stdin and writes its messages to stdout, each on
// a line of its own.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Nidus } from '../../dist/node.js'
import { writer } from './writer.mjs'

const [directory, seed, sabotage] = process.argv.slice(2)

/** Writes a message synchronously, because an acknowledgement must leave the process before a kill can come. */
function send(message) {
  const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`)
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at)
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error
    }
  }
}

const answer = writer({
  Nidus,
  name: directory,
  options: sabotage === 'relaxed' ? { durability: 'relaxed' } : {},
  seed: Number(seed),
  sabotage,
  send,
})
createInterface({ input: process.stdin }).on('line', (line) => void answer(JSON.parse(line)))
send({ hello: true })
