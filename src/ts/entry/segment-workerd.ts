import wasm from './nidus.wasm'
import { tellCodes } from '../rpc-codes.js'
import { initWith } from '../segment.js'

tellCodes()

export const init = initWith(() => wasm)
export { NidusError } from '../errors.js'
export { Segment } from '../segment.js'
