// Counts the bytes that a worker writes to OPFS handles, and answers when it is asked for the number.
let written = 0
const { prototype } = FileSystemSyncAccessHandle
const { write } = prototype
prototype.write = function (bytes, options) {
  const count = write.call(this, bytes, options)
  written += count
  return count
}
const answers = new BroadcastChannel('bench-written')
new BroadcastChannel('bench-asks').onmessage = () => answers.postMessage(written)
