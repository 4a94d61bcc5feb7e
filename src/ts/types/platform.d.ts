// Types of the web that the public types name. They are empty if the caller's libraries do not declare them. With the
// DOM library, @types/node or the types of Workers they are complete. The package's own types compile without any of
// them, too.

export {}

declare global {
  interface AbortSignal {}
  interface Blob {}
  interface Response {}
  interface URL {}
  interface Worker {}
  interface ReadableStream<R = any> {}
  namespace WebAssembly {
    interface Module {}
  }
}
