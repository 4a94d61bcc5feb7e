// Counts the bytes of all wasm memories of this thread, so that memory is measured in the same way for all peers.
// This file must be loaded before any peer.
const memories = new Set()

const keep = (instance) => {
  for (const value of Object.values(instance.exports))
    if (value instanceof WebAssembly.Memory) memories.add(new WeakRef(value))
  return instance
}
WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
  construct(target, args, to) {
    const memory = Reflect.construct(target, args, to)
    memories.add(new WeakRef(memory))
    return memory
  },
})
WebAssembly.Instance = new Proxy(WebAssembly.Instance, {
  construct: (target, args, to) => keep(Reflect.construct(target, args, to)),
})
for (const name of ['instantiate', 'instantiateStreaming']) {
  const plain = WebAssembly[name]
  WebAssembly[name] = async (...args) => {
    const made = await plain.apply(WebAssembly, args)
    keep(made.instance ?? made)
    return made
  }
}

export function wasmBytes() {
  // Memories that wait to be collected must not count.
  globalThis.gc?.()
  const buffers = new Set([...memories].map((memory) => memory.deref()?.buffer).filter(Boolean))
  return [...buffers].reduce((sum, buffer) => sum + buffer.byteLength, 0)
}
