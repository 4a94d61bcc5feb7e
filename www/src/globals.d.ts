/** Set by vite.config.ts: whether the model lies beside the page, or has to come from its hub. */
declare const __MODEL_IS_LOCAL__: boolean
/** Whether this is a built page, not a development server's. */
declare const __IS_BUILT__: boolean

// The runtime's package exports the file but describes only its JavaScript.
declare module 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url' {
  const url: string
  export default url
}

declare module 'pdfjs-dist/build/pdf.worker.min.mjs?url' {
  const url: string
  export default url
}
interface ImportMeta {
  readonly env: { readonly PROD: boolean }
}
