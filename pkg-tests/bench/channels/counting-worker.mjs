// The package's worker, counted.
import './counting.mjs'
import '/dist/worker.js'
