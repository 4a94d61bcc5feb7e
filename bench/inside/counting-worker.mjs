// The package's worker, whose written bytes are counted.
import './counting.mjs'
import '/dist/worker.js'
