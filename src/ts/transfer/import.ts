import type { Backend, OpenSpec, Source } from '../contract/backend.js'
import type { FileName } from '../contract/calls.js'
import { aborted, invalid, reading } from '../errors/errors.js'
import { userHost } from '../hosts/user.js'
import { checkSignal } from '../arguments/input.js'
import { FILES, IMPORT, checkKeys } from '../arguments/keys.js'
import { checkOpen, checkOptions, checkStorage } from '../arguments/options.js'
import type { Platform } from '../contract/platform.js'
import type { ImportOptions, StorageKind } from '../types/index.js'
import { isPlainObject } from '../core/wire.js'
import { Input } from './source.js'
import { partsOfTar } from './tar.js'

const SOURCE = 'the source of the import'

type Part = { file: FileName; bytes: Uint8Array }

/** Imports a store from any kind of source, and opens it. */
export async function importStore(
  platform: Platform,
  name: string,
  from: unknown,
  options: ImportOptions | undefined,
): Promise<Backend> {
  const { replace = false, signal: given, onProgress, ...rest } = checkOptions(options, IMPORT, 'import')
  const signal = checkSignal(given)
  const storage = checkStorage(rest.storage, platform.defaultStorage)
  const spec = checkOpen(name, rest, storage)
  if (spec.readOnly) throw invalid('an import writes, so it cannot be readOnly')
  if (typeof storage === 'object') userHost(storage)
  if (signal?.aborted) throw aborted(signal)

  const inputs: Input[] = []
  const input = (source: unknown) => {
    inputs.push(new Input(source))
    return inputs.at(-1)!
  }
  let stop!: (reason: unknown) => void
  const stopped = new Promise<never>((_, reject) => (stop = reject))
  stopped.catch(() => {})
  const abort = () => stop(aborted(signal!))
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const source = await reading(SOURCE, () => sourceOf(from, platform))
    const parts = reading(SOURCE, () => partsOf(source, input))
    const total = inputs.some(({ size }) => size === undefined)
      ? undefined
      : inputs.reduce((sum, { size }) => sum + size!, 0)
    // The callback runs in a turn of its own, so that an error of it is not taken for a failed import.
    const report = (done: number, of: number | undefined) => onProgress && queueMicrotask(() => onProgress(done, of))
    const taken = () => inputs.reduce((sum, { taken }) => sum + taken, 0)
    let told = 0
    const pieces: Source = {
      replace,
      async parts() {
        // The last progress, with done equal to total, is reported only once the store is complete.
        if (taken() > told && taken() !== total) report((told = taken()), total)
        const next = await Promise.race([stopped, parts.next()])
        return next.done ? undefined : next.value
      },
    }
    const open =
      typeof storage === 'object'
        ? platform.openOwn(spec, storage, rest.wasm, pieces)
        : platform.open(spec as OpenSpec & { storage: StorageKind | undefined }, rest.worker, rest.wasm, pieces)
    const backend = await open.catch((error: unknown) => {
      // The reason of an abort does not cross from one thread to another, but the caller's own signal is here.
      throw signal?.aborted && (error as { code?: string }).code === 'ABORTED' ? aborted(signal) : error
    })
    report(total ?? taken(), total ?? taken())
    return backend
  } finally {
    signal?.removeEventListener('abort', abort)
    for (const input of inputs) input.end()
  }
}

/** A string counts as a path, if this runtime has files. */
function sourceOf(from: unknown, platform: Platform): unknown {
  if (typeof from !== 'string' && !(from instanceof URL)) return from
  if (!platform.files) throw invalid('there are no files here: fetch it, and import the Response')
  return platform.files(from)
}

function partsOf(source: unknown, input: (source: unknown) => Input): AsyncGenerator<Part> {
  if (!isPlainObject(source)) return partsOfTar(input(source))
  checkKeys(source, FILES, SOURCE)
  const { data, log } = source
  if (data === undefined || log === undefined) throw invalid('an import of two files needs both: { data, log }')
  return partsOfTwo({ data: input(data), log: input(log) })
}

async function* partsOfTwo(inputs: { [F in FileName]: Input }): AsyncGenerator<Part> {
  for (const file of ['data', 'log'] as const) for await (const bytes of inputs[file].pieces()) yield { file, bytes }
}
