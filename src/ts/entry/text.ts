import { openText } from '../text/index.js'

// A bundler may have made a plain script of this module, which exports nothing.
;(globalThis as { nidusOpenText?: typeof openText }).nidusOpenText = openText
export { openText }
