import { textIndexOf } from '../text-index/index.js'
import { Nidus } from './browser.js'

export const TextIndex = textIndexOf(Nidus as never)
