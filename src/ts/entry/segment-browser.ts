import { initWith } from '../api/segment.js'
import { placed } from './place.js'

export const init = initWith({
  wasm: {
    relaxed: () => fetch(placed(new URL('./nidus-relaxed.wasm', import.meta.url))),
    plain: () => fetch(placed(new URL('./nidus.wasm', import.meta.url))),
  },
})
export { NidusError } from '../errors/errors.js'
export { Segment } from '../api/segment.js'
