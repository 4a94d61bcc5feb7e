/** Set by vite.config.ts: whether the site has the model. Otherwise it comes from its hub. */
declare const __MODEL_IS_LOCAL__: boolean
/** Set by vite.config.ts: whether this page was built, and not served by the development server. */
declare const __IS_BUILT__: boolean

// The package has this file, but its types describe only the JavaScript.
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
