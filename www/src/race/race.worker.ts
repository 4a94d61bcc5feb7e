/// <reference lib="webworker" />
// Runs the race outside the main thread: one runner after the other, each alone.
import type { FromRace, Start } from './protocol'
import { DIMENSION, runners, type Rows, type Runner } from './runners'

declare const self: DedicatedWorkerGlobalScope

/** Each runner answers this many questions first, which do not count. */
const WARM = 10
/** It then answers for this long, in milliseconds, but at least and at most this often. */
const [TIME, LEAST, MOST] = [1200, 10, 200]

const say = (message: FromRace) => self.postMessage(message)

async function get(url: string) {
  const response = await fetch(url, { signal: AbortSignal.timeout(120_000) })
  if (!response.ok) throw new Error(`${url} could not be loaded (HTTP ${response.status})`)
  return response
}

/** Returns the rows of the dictionary: the same that the page searches. */
async function load({ texts, vectors }: Start): Promise<Rows> {
  const [{ rows, examples }, bytes] = await Promise.all([
    get(texts).then((response) => response.json() as Promise<{ rows: string[][]; examples: string[] }>),
    get(vectors).then((response) => response.arrayBuffer()),
  ])
  if (bytes.byteLength !== (rows.length + examples.length) * DIMENSION)
    throw new Error('the vectors are not those of the texts: reload the page')
  const numbers = Float32Array.from(new Int8Array(bytes))
  return {
    ids: rows.map(([id]) => id!),
    titles: rows.map(([, title]) => title!),
    abouts: rows.map(([, , , about]) => about!),
    vectors: numbers.slice(examples.length * DIMENSION),
    questions: examples.map((text, n) => ({ text, vector: numbers.slice(n * DIMENSION, (n + 1) * DIMENSION) })),
  }
}

/** Returns the median time of a search. */
async function time(runner: Runner, rows: Rows) {
  const { ask, end } = await runner.prepare(rows)
  const many = rows.questions.length
  for (let n = 0; n < WARM; n++) await ask(n % many)
  const times: number[] = []
  const began = performance.now()
  while (times.length < MOST && (times.length < LEAST || performance.now() - began < TIME)) {
    const from = performance.now()
    await ask(times.length % many)
    times.push(performance.now() - from)
  }
  await end?.()
  times.sort((a, b) => a - b)
  return { milliseconds: times[times.length >> 1]!, searches: times.length }
}

self.onmessage = async ({ data }: MessageEvent<Start>) => {
  try {
    say({ type: 'state', text: 'Loading the rows…' })
    const rows = await load(data)
    const source = `import ${JSON.stringify(data.store)}`
    const store = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
    for (const runner of runners(() => new Worker(store, { type: 'module', name: 'race store' }))) {
      const { lane, name, ours } = runner
      say({ type: 'state', text: `${name} searches ${lane === 'words' ? 'for words' : 'by vectors'}…` })
      say({ type: 'result', lane, name, ours, ...(await time(runner, rows)) })
    }
    say({ type: 'end' })
  } catch (error) {
    say({ type: 'failed', message: String((error as Error)?.message ?? error) })
  }
}
