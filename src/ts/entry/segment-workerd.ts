import wasm from './nidus.wasm'
import { initWith } from '../segment.js'

export const init = initWith(() => wasm)
export { NidusError } from '../errors.js'
export { Segment } from '../segment.js'
