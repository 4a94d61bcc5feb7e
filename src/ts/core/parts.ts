import { addPart } from './core.js'
import { NidusError, messageOf } from '../errors/errors.js'
import { runtime, type Part } from '../runtime/configure.js'
import { compile, coreModule } from './load.js'

// The module of pages has three parts. The first one opens, writes and scans rows. The rest is loaded for filters,
// updates, pages of records, dropped collections, texts and compaction. The part of the codes is loaded for stores with
// enough rows.

/** scripts/split.mjs gives all parts an export whose name begins like this, and tells the variant and the build. */
const MARK = '~part '

const loading: { [part in Part]?: Promise<void> | undefined } = {}
const loaded = new Set<Part>()

/** Loads a part of the core. Returns undefined if it is there. A load that failed can be tried again. */
export function loadPart(part: Part): Promise<void> | undefined {
  if (loaded.has(part)) return undefined
  const mark = markOf(coreModule()!)
  // A core in one piece has all parts.
  if (!mark) return void loaded.add(part)
  return (loading[part] ??= start(part, mark)
    .then(() => void loaded.add(part))
    .finally(() => (loading[part] = undefined)))
}

async function start(part: Part, mark: string) {
  const variant = mark.startsWith(`${MARK}relaxed`) ? 'relaxed' : 'plain'
  try {
    const read = runtime.parts?.[part][variant]
    if (!read) throw new Error('no file is known')
    const module = await compile(undefined, read)
    if (markOf(module) !== mark) throw new Error('it is of another build')
    await addPart(module)
  } catch (cause) {
    const file = (part: string) => `nidus-${part}${variant === 'plain' ? '' : '-relaxed'}.wasm`
    const why = messageOf((cause as Error).cause ?? cause)
    throw new NidusError(
      'FAILED',
      `${file(part)} could not be loaded: ${why}; serve it beside ${file('first')} of the same build, or pass ` +
        'nidus-page.wasm as `wasm`',
      { cause },
    )
  }
}

const markOf = (module: WebAssembly.Module) =>
  WebAssembly.Module.exports(module).find(({ name }) => name.startsWith(MARK))?.name
