// The package's worker, with a count of the bytes that it writes.
import './counting.mjs'
import '/dist/worker.js'
