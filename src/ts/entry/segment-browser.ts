import { initWith } from '../segment.js'

export const init = initWith(() => fetch(new URL('./nidus.wasm', import.meta.url)), () => fetch(new URL('./nidus-relaxed.wasm', import.meta.url)))
export { NidusError } from '../errors.js'
export { Segment } from '../segment.js'
