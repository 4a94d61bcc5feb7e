// The worker that has the store. All that it does is in Rust.
import init, { Notes } from './pkg/rust_opfs.js'

const notes = init().then(() => Notes.open('rust-notes'))
// One call at a time, in the order of the messages.
let last = notes

onmessage = ({ data: [number, method, ...args] }) => {
  last = last
    .catch(() => {})
    .then(async () => (await notes)[method](...args))
    .then(
      (answer) => postMessage([number, answer]),
      (error) => postMessage([number, undefined, String(error)]),
    )
}
