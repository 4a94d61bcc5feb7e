import { DIMENSION, type Embedder } from './embedder'
import type { Indexed, Library } from './stores/library'
import { passagesOf, type Passage } from './texts/passages'
import { hashOf, sectionsOf, UnreadableError, type Source } from './texts/read'

/**
 * The number of passages that are embedded and stored together, from several files. All passages of one file are stored
 * together, even if there are more.
 */
const GROUP = 96
/** The number of passages in a message to the model. */
const BATCH = 16
/** The number of files whose hashes are looked up together. */
const LOOKUP = 64

export interface Progress {
  files: number
  ofFiles: number
  /** The share of all bytes that is done. */
  fraction: number
  passagesPerSecond: number
  secondsLeft: number | undefined
}

export interface Outcome {
  indexed: number
  unchanged: number
  /** Files that could not be read, with the reason. */
  unreadable: { path: string; reason: string }[]
}

interface Read {
  source: Source
  hash: string
  passages: Passage[]
}

/**
 * Returns the text that is embedded for a passage. It includes the file's name and the headings, which say much about
 * the subject.
 */
const embeddedText = (path: string, { headings, text }: Passage) =>
  `${[
    path
      .slice(path.lastIndexOf('/') + 1)
      .replace(/\.\w+$/, '')
      .replace(/[-_]+/g, ' '),
    ...headings,
  ].join(' › ')}\n${text}`

/**
 * Reads, embeds and stores all files that are new or have changed. If it is stopped, every stored file is complete, and
 * another call with the same files continues with the rest.
 */
export async function index(
  library: Library,
  embedder: Embedder,
  sources: Source[],
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const outcome: Outcome = { indexed: 0, unchanged: 0, unreadable: [] }
  const total = sources.reduce((sum, { size }) => sum + size, 0) || 1
  let [bytes, files, passages, embeddedBytes] = [0, 0, 0, 0]
  const began = performance.now()
  const done = (source: Source, count: number) => {
    bytes += source.size
    files++
    passages += count
    if (count > 0) embeddedBytes += source.size
  }
  const tell = () => {
    const seconds = (performance.now() - began) / 1000
    const perByte = embeddedBytes > 0 ? seconds / embeddedBytes : 0
    onProgress({
      files,
      ofFiles: sources.length,
      fraction: bytes / total,
      passagesPerSecond: passages / Math.max(seconds, 0.001),
      secondsLeft: seconds > 2 && perByte ? perByte * (total - bytes) : undefined,
    })
  }

  async function flush(group: Read[]) {
    const texts = group.flatMap(({ source, passages }) => passages.map((passage) => embeddedText(source.path, passage)))
    const vectors = await embedAll(embedder, texts, signal)
    let at = 0
    const ready: Indexed[] = group.map((file) => {
      const own = vectors.subarray(at, (at += file.passages.length * DIMENSION))
      return { ...file, vectors: own }
    })
    await library.store(ready)
    for (const { source, passages } of group) done(source, passages.length)
    outcome.indexed += group.length
    tell()
  }

  tell()
  await embedder.callHelpers()
  try {
    let group: Read[] = []
    for (let from = 0; from < sources.length; from += LOOKUP) {
      const read = await Promise.all(sources.slice(from, from + LOOKUP).map((source) => readSource(source, outcome)))
      signal.throwIfAborted()
      const there = read.filter((each) => each !== undefined)
      const known = await library.known(there.map(({ source, hash }) => ({ path: source.path, hash })))
      for (const source of sources.slice(from, from + LOOKUP)) {
        const n = there.findIndex((each) => each.source === source)
        if (n < 0 || known[n]) {
          if (n >= 0) outcome.unchanged++
          done(source, 0)
          continue
        }
        const { bytes, hash } = there[n]!
        let passages: Passage[]
        try {
          passages = passagesOf(await sectionsOf(source.type, bytes))
        } catch (error) {
          outcome.unreadable.push({ path: source.path, reason: reasonOf(error) })
          done(source, 0)
          continue
        }
        if (passages.length === 0) {
          outcome.unreadable.push({
            path: source.path,
            reason: source.type === 'pdf' ? 'it has no text (scanned pages?)' : 'it is empty',
          })
          await library.removeFile(source.path)
          done(source, 0)
          continue
        }
        group.push({ source, hash, passages })
        if (group.reduce((sum, { passages }) => sum + passages.length, 0) < GROUP) continue
        const full = group
        group = []
        await flush(full)
      }
      tell()
    }
    if (group.length > 0) await flush(group)
  } finally {
    embedder.dismissHelpers()
  }
  return outcome
}

async function readSource(source: Source, outcome: Outcome) {
  try {
    const bytes = await source.read()
    return { source, bytes, hash: await hashOf(bytes) }
  } catch (error) {
    outcome.unreadable.push({ path: source.path, reason: reasonOf(error) })
    return undefined
  }
}

const reasonOf = (error: unknown) =>
  error instanceof UnreadableError
    ? error.message
    : `it could not be read (${error instanceof Error ? error.message : error})`

/**
 * Returns the vectors of texts, in their order. Texts of similar length form a batch, because a batch is padded to its
 * longest text. At most one batch more than there are workers is under way.
 */
async function embedAll(embedder: Embedder, texts: string[], signal: AbortSignal): Promise<Float32Array> {
  const order = [...texts.keys()].sort((a, b) => texts[a]!.length - texts[b]!.length)
  const batches = Array.from({ length: Math.ceil(order.length / BATCH) }, (_, n) =>
    order.slice(n * BATCH, (n + 1) * BATCH),
  )
  const vectors = new Float32Array(texts.length * DIMENSION)
  const left = batches.values()
  const take = async () => {
    for (const batch of left) {
      signal.throwIfAborted()
      const embedded = await embedder.documents(batch.map((n) => texts[n]!))
      batch.forEach((n, i) => vectors.set(embedded.vectors.subarray(i * DIMENSION, (i + 1) * DIMENSION), n * DIMENSION))
    }
  }
  await Promise.all(Array.from({ length: embedder.width + 1 }, take))
  signal.throwIfAborted()
  return vectors
}
