import type { Runtime } from '../runtime/configure.js'

// Each worker is one file, so these addresses are beside it. Bundlers find them as they are written here.
const whole = () => fetch(new URL('./nidus.wasm', import.meta.url))

/** The .wasm files of a page's store, for both workers. */
export const WORKER_FILES = {
  wasm: {
    relaxed: () => fetch(new URL('./nidus-first-relaxed.wasm', import.meta.url)),
    plain: () => fetch(new URL('./nidus-first.wasm', import.meta.url)),
    whole,
  },
  parts: {
    rest: {
      relaxed: () => fetch(new URL('./nidus-rest-relaxed.wasm', import.meta.url)),
      plain: () => fetch(new URL('./nidus-rest.wasm', import.meta.url)),
    },
    codes: {
      relaxed: () => fetch(new URL('./nidus-codes-relaxed.wasm', import.meta.url)),
      plain: () => fetch(new URL('./nidus-codes.wasm', import.meta.url)),
    },
  },
} satisfies Partial<Runtime>
