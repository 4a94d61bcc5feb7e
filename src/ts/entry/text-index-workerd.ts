import { textIndexOf } from '../text-index/index.js'
import { Nidus } from './workerd.js'

export const TextIndex = textIndexOf(Nidus as never)
