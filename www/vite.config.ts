import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { guides } from './scripts/guides.mjs'
import { offline } from './scripts/offline.mjs'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// What is in `public/` when the page is built is what it will find beside itself later, so the page needs no request to
// learn whether the model is there, and its policy need not allow the hub when it is.
const modelIsLocal = existsSync(here('public/models/all-MiniLM-L6-v2/onnx/model_quantized.onnx'))

function policy(dev: boolean) {
  const hub = modelIsLocal ? '' : ' https://huggingface.co https://*.huggingface.co https://*.hf.co'
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:", // from a `blob:` address a worker inherits this policy, on any host
    `style-src 'self'${dev ? " 'unsafe-inline'" : ''}`,
    "img-src 'self'",
    "manifest-src 'self'",
    `connect-src 'self'${dev ? ' ws:' : ''}${hub}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

/**
 * As a meta element, so that the page is as strict on a host that sets no headers; its workers inherit it
 * (src/confined.ts).
 */
function contentSecurityPolicy(): Plugin {
  let dev = false
  return {
    name: 'content-security-policy',
    configResolved: (config) => void (dev = config.command === 'serve' && !config.isProduction),
    transformIndexHtml: {
      order: 'pre',
      handler: () => [
        {
          tag: 'meta',
          attrs: { 'http-equiv': 'Content-Security-Policy', content: policy(dev) },
          injectTo: 'head-prepend',
        },
      ],
    },
  }
}

export default defineConfig(({ command }) => ({
  root: here('.'),
  base: './', // any folder of any static host will do
  appType: 'mpa', // a file that is missing is a 404, not the page again
  define: { __MODEL_IS_LOCAL__: JSON.stringify(modelIsLocal), __IS_BUILT__: JSON.stringify(command === 'build') },
  plugins: [contentSecurityPolicy(), guides(policy(false)), offline()],
  resolve: {
    // transformers.js asks for the WebGPU build of the runtime (27 MB); the page only ever runs it on the CPU (14 MB).
    alias: { 'onnxruntime-web/webgpu': 'onnxruntime-web/wasm' },
  },
  server: { fs: { allow: [here('..')] } }, // the package is built beside the page's folder
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 1200 },
}))
