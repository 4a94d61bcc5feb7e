import { Nidus as Api } from '../api/nidus.js'
import { ahead } from '../core/ahead.js'
import { browserPlatform } from '../platforms/browser.js'
import { configured } from '../runtime/configure.js'
import { isCopied, placed } from './place.js'

// Bundlers find the files by `new URL('…', import.meta.url)`, so it is written out each time.
const whole = () => new URL('./nidus.wasm', import.meta.url)
export const Nidus = configured(
  {
    platform: browserPlatform(
      (all) =>
        isCopied(whole())
          ? new Worker(placed(whole()).replace('nidus.wasm', all ? 'worker.js' : 'worker-opfs.js'), { type: 'module' })
          : all
            ? new Worker(new URL('./worker.js', import.meta.url), { type: 'module' })
            : new Worker(new URL('./worker-opfs.js', import.meta.url), { type: 'module' }),
      () => placed(whole()),
      ahead,
    ),
    wasm: {
      relaxed: () => fetch(placed(new URL('./nidus-first-relaxed.wasm', import.meta.url))),
      plain: () => fetch(placed(new URL('./nidus-first.wasm', import.meta.url))),
      whole: () => fetch(placed(whole())),
    },
    parts: {
      rest: {
        relaxed: () => fetch(placed(new URL('./nidus-rest-relaxed.wasm', import.meta.url))),
        plain: () => fetch(placed(new URL('./nidus-rest.wasm', import.meta.url))),
      },
      codes: {
        relaxed: () => fetch(placed(new URL('./nidus-codes-relaxed.wasm', import.meta.url))),
        plain: () => fetch(placed(new URL('./nidus-codes.wasm', import.meta.url))),
      },
    },
    text: async () =>
      (await import('../platforms/text-here.js')).loadTextHere(
        () => placed(new URL('./text.js', import.meta.url)),
        () => fetch(placed(new URL('./nidus-text.wasm', import.meta.url))),
      ),
  },
  Api,
)
export { NidusError } from '../errors/errors.js'
