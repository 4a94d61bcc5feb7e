import { CASES, KEPT as CASES_KEPT } from './text-index'
import { OUTSIDE_KEPT } from './text-index-kept'
import { OUTSIDE } from './text-index-outside'
import { STORING, STORING_KEPT } from './text-index-storing'

/** What an index does in every place: [name, test] each. */
export const EVERYWHERE = [...CASES, ...OUTSIDE, ...STORING]
/** What it does in a storage that keeps it. */
export const KEPT = [...EVERYWHERE, ...CASES_KEPT, ...OUTSIDE_KEPT, ...STORING_KEPT]
