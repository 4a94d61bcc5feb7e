/** In workerd the import of a .wasm file gives the compiled module. */
declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}
declare module 'inline:*.wasm' {
  const bytes: Uint8Array
  export default bytes
}
declare module 'inline:*.js' {
  const source: string
  export default source
}
