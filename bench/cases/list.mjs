// The cases, in the order in which they run. Each is a module with
//   title    for the program's output
//   run(context)    returns a list of results, one or more for the runtime. `context` is { runtime, peers, inputs,
//                   options }; `options.most` is the greatest number of rows.
//   ofNidus  if it measures this package: the case is left out if `--only` leaves nidus-wasm out
//   ofReal   if it measures real rows only: the case is left out without `--data`
//   onRequest    if it runs only when `--case` names it
//   inputs   the inputs that it reads: 'all', 'first', or none
import * as download from './download.mjs'
import * as durable from './durable.mjs'
import * as filters from './filters.mjs'
import * as growth from './growth.mjs'
import * as memory from './memory.mjs'
import * as million from './million.mjs'
import * as open from './open.mjs'
import * as real from './real.mjs'
import * as search from './search.mjs'

export const CASES = { search, real, growth, open, memory, filters, durable, million, download }
