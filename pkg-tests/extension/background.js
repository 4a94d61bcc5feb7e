// Bundled into one file, as a module and as a classic script: a service worker knows no import().
import { perform } from './perform.js'

// Only a module knows where it is, and so where nidus.wasm lies.
const wasm = chrome.runtime.getManifest().background.type ? {} : { wasm: chrome.runtime.getURL('nidus.wasm') }

chrome.runtime.onMessage.addListener(([name, method, ...args], _, respond) => {
  void perform(name, method, ...(method === 'open' ? [{ ...args[0], ...wasm }] : args)).then(respond)
  return true
})
