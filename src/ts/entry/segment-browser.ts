import { initWith } from '../segment.js'
import { placed } from './place.js'

export const init = initWith(() => fetch(placed(new URL('./nidus.wasm', import.meta.url))), () => fetch(placed(new URL('./nidus-relaxed.wasm', import.meta.url))))
export { NidusError } from '../errors.js'
export { Segment } from '../segment.js'
