// Types of the web that are named here, empty as far as the caller's libraries do not declare them. With the DOM library,
// @types/node or the types of Workers they are whole. Without any of them the package's own types compile, too.

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
