import { Nidus as Api } from '../nidus.js'
import { browserPlatform } from '../platform-browser.js'
import { withPlatform } from '../platform.js'
import { setWasmDefaults } from '../wasm-source.js'
import { isCopied, placed } from './place.js'

// `new URL('…', import.meta.url)` is written out in full, in this form: bundlers find the files by it.
const wasm = () => new URL('./nidus.wasm', import.meta.url)
export const Nidus = withPlatform(
  browserPlatform((whole) =>
    isCopied(wasm()) ? new Worker(placed(wasm()).replace('nidus.wasm', whole ? 'worker.js' : 'worker-opfs.js'), { type: 'module' })
    : whole ? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
    : new Worker(new URL('./worker-opfs.js', import.meta.url), { type: 'module' }),
    () => placed(wasm()),
  ),
  () =>
    setWasmDefaults(
      () => fetch(placed(new URL('./nidus-page.wasm', import.meta.url))),
      () => fetch(placed(new URL('./nidus-page-relaxed.wasm', import.meta.url))),
      undefined,
      () => fetch(placed(wasm())),
    ),
  Api,
)
export { NidusError } from '../errors.js'
