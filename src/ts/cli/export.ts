import { statSync } from 'node:fs'
import { stdout } from 'node:process'
import { Writable } from 'node:stream'
import { Usage, type Values } from './args.js'
import { linesOf } from './jsonl.js'
import { bytes, count, out, progress, say } from './output.js'
import { openBackend, reading } from './stores.js'
import { writeWhole, type Write } from './target.js'

/** Writes a store to a file or to stdout. */
export async function exportFrom(directory: string, [path]: string[], values: Values) {
  if (path === undefined) throw new Usage('export needs a file, or - for stdout')
  if (path === '-') {
    await using db = await reading(directory)
    await db.export().pipeTo(Writable.toWeb(stdout), { preventClose: true })
    return 0
  }
  const bar = progress('exporting')
  const documents = await writeWhole(path, (write) =>
    /\.(jsonl|ndjson)$/i.test(path) ? exportLines(directory, write, bar) : exportTar(directory, write, bar),
  ).finally(bar.end)
  const { size } = statSync(path)
  out(values, { file: path, bytes: size, documents }, () =>
    say(`${count(documents)} documents in ${path}, ${bytes(size)}`),
  )
  return 0
}

async function exportLines(directory: string, write: Write, bar: ReturnType<typeof progress>) {
  const db = await openBackend(directory, { readOnly: true })
  try {
    const { docCount } = await db.call('footprint', {})
    const encoder = new TextEncoder()
    let done = 0
    for await (const { text, documents } of linesOf(db)) {
      await write(encoder.encode(`${text}\n`))
      bar.tell((done += documents), docCount)
    }
    return done
  } finally {
    await db.close()
  }
}

async function exportTar(directory: string, write: Write, bar: ReturnType<typeof progress>) {
  await using db = await reading(directory)
  const { diskBytes, docCount } = await db.footprint()
  let done = 0
  for await (const chunk of db.export() as unknown as AsyncIterable<Uint8Array>) {
    await write(chunk)
    bar.tell((done += chunk.length), diskBytes)
  }
  return docCount
}
