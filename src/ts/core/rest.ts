import { addRest } from './core.js'
import { NidusError, messageOf } from '../errors/errors.js'
import { runtime } from '../runtime/configure.js'
import { compile, coreModule } from './load.js'

// The module of pages has two parts. The first one opens, writes and searches. The rest is loaded for filters, updates,
// pages of records, dropped collections, texts and compaction.

/** scripts/split.mjs gives both parts an export whose name begins like this, and tells the variant and the build. */
const MARK = '~rest '

let loading: Promise<void> | undefined
let loaded = false

/** Loads the rest of the core. Returns undefined if it is there. A load that failed can be tried again. */
export function loadRest(): Promise<void> | undefined {
  if (loaded) return undefined
  const mark = markOf(coreModule()!)
  loaded = mark === undefined
  if (!mark) return undefined
  loading ??= start(mark).then(
    () => void (loaded = true),
    (error: unknown) => {
      loading = undefined
      throw error
    },
  )
  return loading
}

async function start(mark: string) {
  const variant = mark.startsWith(`${MARK}relaxed`) ? 'relaxed' : 'plain'
  try {
    const read = runtime.rest?.[variant]
    if (!read) throw new Error('this entry of the package names no file for it')
    const module = await compile(undefined, read)
    if (markOf(module) !== mark) throw new Error('it is of another build')
    await addRest(module)
  } catch (cause) {
    const behind = variant === 'plain' ? '' : '-relaxed'
    throw new NidusError(
      'FAILED',
      `nidus-rest${behind}.wasm could not be loaded: ${messageOf(cause)}; serve it beside the worker, from the same ` +
        `build as nidus-first${behind}.wasm, or pass nidus-page.wasm as \`wasm\``,
      { cause },
    )
  }
}

const markOf = (module: WebAssembly.Module) =>
  WebAssembly.Module.exports(module).find(({ name }) => name.startsWith(MARK))?.name
