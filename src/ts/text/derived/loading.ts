import type { Derived } from '../../contract/derived.js'
import type { TextHost } from '../../engine/text-host.js'
import { encodeIds } from '../../core/wire.js'
import type { Documents } from '../documents.js'
import { Indexed, settingsIn, type IndexKeeper } from '../index-keeper.js'
import { Pace } from '../pace.js'
import { decodeSettings, hasFields } from '../settings.js'
import { TextLoading } from '../text-core.js'
import { Source, readContents, type Contents, type Part } from './container.js'
import { NO_ROW, placeOf, type Place } from './place.js'
import { rowsBehind } from './tail.js'

/** The most bytes that are passed to the wasm at once. */
const PIECE = 1 << 18

/**
 * Loads the indexes from the file into the keeper, and lets it read the documents that changed after the file was
 * written. Returns false if the file cannot be used. Then the keeper has no indexes, and makes them from the
 * documents. `between` throws if the store is closed or has failed.
 */
export async function loadIndexes(
  host: TextHost,
  derived: Derived,
  documents: Documents,
  keeper: IndexKeeper,
  between: () => void,
): Promise<boolean> {
  const pieces = await derived.read()
  if (!pieces) return false
  const source = new Source(pieces)
  const loaded: Indexed[] = []
  let given = false
  try {
    const contents = await readContents(source)
    between()
    const place = placeOf(host)
    if (!place) return false
    // From here on the keeper learns which documents change.
    documents.look()
    const { end } = documents
    keeper.await()
    const behind = await rowsBehind(host, contents, place)
    between()
    if (!behind) return false
    const { numbers, unread } = compared(contents, place, behind)
    const pace = new Pace()
    const sources = settingsIn(host)
    for (const part of contents.parts) {
      const settings = sources.get(part.collection)
      if (settings === undefined || !hasFields(decodeSettings(part.collection, settings), part.fields))
        await source.pass(part.bytes, () => {})
      else loaded.push(await loadOne(contents, part, settings, numbers, source, pace, between))
    }
    return (given = keeper.take(loaded, end, unread))
  } finally {
    if (!given) {
      keeper.giveUp()
      for (const { index } of loaded) index.free()
    }
    await source.end()
  }
}

/**
 * Returns the present number of each document of the file, and the documents that must be read. If no operation that
 * came after the file names a row, the row still has the document that it had then, with the same attributes, or none.
 */
function compared({ rows }: Contents, place: Place, behind: Set<number>) {
  let end = 0
  for (const row of place.rows) if (row !== NO_ROW && row >= end) end = row + 1
  const docs = new Uint32Array(end).fill(NO_ROW)
  for (let doc = 0; doc < place.rows.length; doc++) if (place.rows[doc] !== NO_ROW) docs[place.rows[doc]] = doc
  const numbers = new Uint32Array(rows.length).fill(NO_ROW)
  for (let n = 0; n < rows.length; n++) if (rows[n] < end) numbers[n] = docs[rows[n]]
  for (const row of rows) if (row < end && !behind.has(row)) docs[row] = NO_ROW
  return { numbers, unread: docs.filter((doc) => doc !== NO_ROW) }
}

async function loadOne(
  { log, sum }: Contents,
  { collection, fields, bytes }: Part,
  settings: string,
  numbers: Uint32Array,
  source: Source,
  pace: Pace,
  between: () => void,
): Promise<Indexed> {
  const loading = new TextLoading(bytes)
  try {
    await source.pass(bytes, async (piece) => {
      for (let at = 0; at < piece.length; at += PIECE) {
        loading.feed(piece.subarray(at, at + PIECE))
        await pace.turn(between)
      }
    })
    loading.renumber(numbers)
    await pace.steps(() => loading.step(), between)
    const index = loading.finish(collection, fields.length, encodeIds(fields), log, sum)
    return new Indexed(collection, settings, { names: fields, index })
  } finally {
    loading.free()
  }
}
