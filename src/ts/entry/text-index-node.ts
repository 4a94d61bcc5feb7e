import { textIndexOf } from '../text-index/index.js'
import { Nidus } from './node.js'

export const TextIndex = textIndexOf(Nidus as never)
