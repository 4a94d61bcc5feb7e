// The embedder of transformers.js, with a real model: in Node, and in Chromium with and without a bundler.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TextIndex } from 'nidus-wasm/text'
import { transformers, type TransformersOptions } from 'nidus-wasm/text/transformers'
import { temporaryFolder } from '../common/folder'
import { codeOf } from '../common/place'
import { openBrowser, repository, serveFolder } from './tarball.js'

const folder = temporaryFolder('transformers')
const from = (path: string) => join(repository, path)
const model = from('www/public/models/all-MiniLM-L6-v2')
const library = new URL('../common/transformers-library.mjs', import.meta.url)
const options: TransformersOptions = {
  models: join(folder, 'models'),
  runtime: pathToFileURL(from('node_modules/onnxruntime-web/dist/')),
  library,
}
const MINILM = 'Xenova/all-MiniLM-L6-v2'
const DOCUMENTS = [
  { id: 'n1', title: 'Moving house', text: 'The landlord says that water comes through the roof.' },
  { id: 'n2', title: 'Bread', text: 'Flour, water, salt, and patience.' },
]

const cosine = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, number, i) => sum + number * b[i]!, 0)

beforeAll(() => {
  mkdirSync(join(folder, 'models/Xenova'), { recursive: true })
  const link = (target: string, path: string) => symlinkSync(target, join(folder, path), 'junction')
  link(model, `models/${MINILM}`)
  link(model, 'models/mine')
  link(from('dist'), 'dist')
  link(from('node_modules/onnxruntime-web/dist'), 'onnx')
  link(from('node_modules/@huggingface/transformers/dist'), 'library')
})

it('refuses what it does not understand, by name', async () => {
  for (const bad of [{ dtyp: 'q8' }, { dtype: 8 }, { device: 'gpu' }, { dimension: 0 }, { pooling: 'max' }])
    expect([bad, await codeOf(() => transformers(MINILM, bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
  for (const bad of [{ prefixes: { qery: '' } }, { prefixes: { query: 1 } }, { batchSize: 0.5 }, { library: 5 }])
    expect([bad, await codeOf(() => transformers(MINILM, bad as never))]).toEqual([bad, 'INVALID_ARGUMENT'])
  expect(await codeOf(() => transformers('' as never))).toBe('INVALID_ARGUMENT')
})

it('a package or a model that is missing is EMBEDDER_FAILED with what to do, and words are found', async () => {
  const missing = transformers('no/such', { ...options, dimension: 384 })
  await using index = await TextIndex.open('missing', { store: { storage: 'memory' }, embedder: missing })
  expect(await codeOf(() => transformers('no/such', options))).toBe('EMBEDDER_FAILED')
  expect(await codeOf(() => index.add(DOCUMENTS))).toBe('EMBEDDER_FAILED')
  const none = await transformers('no/such', { ...options, dimension: 384, library: join(folder, 'transformers.mjs') })
  await expect(none.ready).rejects.toThrow(/Is @huggingface\/transformers installed\? Check its name and the network/)
  // The next call tries again.
  await expect(none.embed(['x'], { kind: 'query' })).rejects.toMatchObject({ code: 'EMBEDDER_FAILED' })
  await none.close()
  await expect(none.embed(['x'], { kind: 'query' })).rejects.toThrow(/is closed/)
})

it('a model that is never done with loading is EMBEDDER_FAILED after five minutes', async () => {
  writeFileSync(join(folder, 'hangs.mjs'), 'await new Promise(() => {})')
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const embedder = await transformers(MINILM, { ...options, dimension: 384, library: join(folder, 'hangs.mjs') })
    let failed: unknown
    const embedding = embedder.embed(['x'], { kind: 'query' }).catch((error: unknown) => (failed = error))
    await vi.advanceTimersByTimeAsync(299_000)
    expect(failed).toBeUndefined()
    await vi.advanceTimersByTimeAsync(2000)
    await embedding
    expect(failed).toMatchObject({ code: 'EMBEDDER_FAILED', message: expect.stringMatching(/five minutes.*\? Check/) })
    await embedder.close()
  } finally {
    vi.useRealTimers()
  }
})

// The model is where the demo has it. Without it, the demo is not tested either.
describe.skipIf(!existsSync(model))('in Node', () => {
  it('finds by meaning, and makes the vectors that a pipeline makes by hand', async () => {
    const embedder = transformers(MINILM, options)
    await using index = await TextIndex.open('real', { store: { storage: 'memory' }, embedder })
    expect(await index.add(DOCUMENTS)).toMatchObject({ added: 2, embedded: 2 })
    const [hit] = await index.search('is the top of the building tight', { by: 'meaning' })
    expect(hit!.id).toBe('n1')
    const { embed, ready, model, dimension, countTokens } = await embedder
    expect([await ready, model, dimension]).toEqual(['cpu', MINILM, 384])
    const texts = ['The roof leaks.', 'unbelievable']
    const vectors = await embed(texts, { kind: 'passage' })
    const { AutoModel, AutoTokenizer, FeatureExtractionPipeline, env } = (await import(library.href)) as never as {
      env: { localModelPath: string; backends: { onnx: { wasm: { wasmPaths: string } } } }
      [name: string]: any
    }
    env.localModelPath = `${join(folder, 'models')}/`
    env.backends.onnx.wasm.wasmPaths = String(options.runtime)
    const tokenizer = await AutoTokenizer.from_pretrained(MINILM)
    const weights = await AutoModel.from_pretrained(MINILM, { dtype: 'q8' })
    const byHand = new FeatureExtractionPipeline({ task: 'feature-extraction', model: weights, tokenizer })
    const { data } = await byHand(texts, { pooling: 'mean', normalize: true })
    expect(cosine(vectors, data)).toBeCloseTo(2, 4)
    const lengths = texts.map((text) => tokenizer.encode(text, { add_special_tokens: false }).length)
    expect(await countTokens!(texts)).toEqual(lengths)
  })

  it('learns the dimension from config.json, and puts prefixes before texts', async () => {
    const embedder = await transformers('mine', { ...options, prefixes: { query: 'query: ' } })
    expect(embedder.dimension).toBe(384)
    const [question, prefixed, passage] = [
      await embedder.embed(['the roof'], { kind: 'query' }),
      await embedder.embed(['query: the roof'], { kind: 'passage' }),
      await embedder.embed(['the roof'], { kind: 'passage' }),
    ]
    expect(cosine(question, prefixed)).toBeCloseTo(1, 5)
    expect(cosine(question, passage)).toBeLessThan(0.99)
    // A question waits for a batch, and not for all texts of a call.
    const small = await transformers('mine', { ...options, batchSize: 2 })
    const order: string[] = []
    const texts = Array.from({ length: 9 }, (_, i) => `text ${i} of a call`)
    const whole = Promise.resolve(small.embed(texts, { kind: 'passage' })).then((all) => (order.push('whole'), all))
    const short = Promise.resolve(small.embed(['the roof'], { kind: 'query' })).then(() => order.push('question'))
    const vectors = (await whole) as Float32Array
    await short
    expect(order).toEqual(['question', 'whole'])
    expect(vectors).toHaveLength(9 * 384)
    const alone = (await small.embed([texts[8]!], { kind: 'passage' })) as Float32Array
    expect(cosine(vectors.subarray(8 * 384), alone)).toBeCloseTo(1, 2)
    await small.close()
    // An aborted call is given up, and the next one is answered.
    const stop = new AbortController()
    const aborted = embedder.embed(['a'], { kind: 'passage', signal: stop.signal })
    stop.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(await embedder.embed(['a'], { kind: 'passage' })).toHaveLength(384)
    const waiting = embedder.embed(['b'], { kind: 'passage' })
    await embedder.close()
    await expect(waiting).rejects.toMatchObject({ code: 'EMBEDDER_FAILED' })
  })

  it('keeps no process alive that does not wait for it', async () => {
    const entry = pathToFileURL(from('dist/transformers-node.js')).href
    const code = `
      import { transformers } from ${JSON.stringify(entry)}
      const { library, runtime, models } = ${JSON.stringify({ ...options, library: library.href })}
      const embedder = await transformers(${JSON.stringify(MINILM)}, { library, runtime, models })
      await embedder.ready
      console.log((await embedder.embed(['the roof'], { kind: 'query' })).length)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code])
    expect(stdout).toBe('384\n')
  })
})

describe.skipIf(!existsSync(model))('in Chromium', () => {
  let server: Awaited<ReturnType<typeof serveFolder>>
  let browser: Awaited<ReturnType<typeof openBrowser>>
  beforeAll(async () => {
    server = await serveFolder(folder)
    browser = await openBrowser(join(folder, 'profile'))
    // What a bundler makes of the package's worker.
    await build({
      entryPoints: [from('dist/transformers-worker.js')],
      bundle: true,
      format: 'esm',
      outfile: join(folder, 'bundled-worker.js'),
      conditions: ['browser'],
      absWorkingDir: repository,
      logLevel: 'error',
    })
  })
  afterAll(async () => {
    await browser?.context.close()
    server?.stop()
  })

  it.each([
    ['without a bundler', `library: '/library/transformers.min.js'`],
    ['with the worker that a bundler made', `worker: () => new Worker('/bundled-worker.js', { type: 'module' })`],
  ])('finds by meaning, %s', async (name, how) => {
    const code = `
      import { TextIndex } from '/dist/text-index-browser.js'
      import { transformers } from '/dist/transformers-browser.js'
      let downloaded = 0
      const embedder = transformers(${JSON.stringify(MINILM)}, {
        models: '/models/', runtime: '/onnx/', ${how}, onProgress: ({ loaded }) => (downloaded = loaded),
      })
      const notes = await TextIndex.open(${JSON.stringify(name)}, { embedder })
      await notes.add(${JSON.stringify(DOCUMENTS)})
      const [hit] = await notes.search('is the top of the building tight', { by: 'meaning' })
      console.log(hit.id, downloaded > 20e6, await (await embedder).ready)
      await notes.close()`
    const page = `${name.replaceAll(' ', '-')}.html`
    writeFileSync(join(folder, page), `<!doctype html><meta charset="utf-8"><script type="module">${code}</script>`)
    browser.said.length = browser.complaints.length = 0
    await (await browser.context.newPage()).goto(`${server.origin}${page}`)
    // transformers.js asks for the length of a file and cancels that request, which counts as one that failed.
    const errors = () => browser.complaints.filter((each) => /^(error|uncaught)/.test(each))
    await expect.poll(() => browser.said.length > 0 || errors().length > 0).toBe(true)
    expect([browser.said, errors()]).toEqual([[expect.stringMatching(/^n1 true (wasm|webgpu)$/)], []])
  })
})
