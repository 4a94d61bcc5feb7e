// This is bundled into one file, because a service worker has no import(). One bundle is a module and one a classic
// script.
import { provideWords } from '../../dist/text.js'
import { perform } from './perform.js'

provideWords(chrome.runtime.getURL('nidus-text.wasm'))

// Only a module knows its own address. A classic script must pass the address of nidus.wasm.
const wasm = chrome.runtime.getManifest().background.type ? {} : { wasm: chrome.runtime.getURL('nidus.wasm') }

chrome.runtime.onMessage.addListener(([name, method, ...args], _, respond) => {
  void perform(name, method, ...(method === 'open' ? [{ ...args[0], ...wasm }] : args)).then(respond)
  return true
})
