import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'
import { markup } from './scripts/markup.mjs'
import { offline } from './scripts/offline.mjs'
import { sets } from './sets/plugin.mjs'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

// The site has what is in `public/` during the build. So the page knows without a request whether the model is there.
// If it is, the policy does not allow the hub.
const modelIsLocal = existsSync(here('public/models/all-MiniLM-L6-v2/onnx/model_quantized.onnx'))

function policy(dev: boolean) {
  const hub = modelIsLocal ? '' : ' https://huggingface.co https://*.huggingface.co https://*.hf.co'
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:", // from a `blob:` address a worker inherits this policy, on any host
    `style-src 'self'${dev ? " 'unsafe-inline'" : ''}`,
    "img-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    `connect-src 'self'${dev ? ' ws:' : ''}${hub}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ')
}

/**
 * A plugin that writes the policy into the page as a meta element, so that it also holds on a host that sends no
 * headers. Workers inherit it (src/confined.ts).
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
  base: './', // the page works in any folder of a static host
  appType: 'mpa', // a missing file is a 404, and not the page again
  define: { __MODEL_IS_LOCAL__: JSON.stringify(modelIsLocal), __IS_BUILT__: JSON.stringify(command === 'build') },
  plugins: [contentSecurityPolicy(), markup(), sets(), offline()],
  resolve: {
    // transformers.js imports the runtime's WebGPU build (27 MB). The page runs the model only on the CPU, for which a
    // build of 14 MB is enough.
    alias: { 'onnxruntime-web/webgpu': 'onnxruntime-web/wasm' },
  },
  server: { fs: { allow: [here('..')] } }, // the built package is outside the page's folder
  worker: { format: 'es' },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, assetsInlineLimit: 0, chunkSizeWarningLimit: 1200 },
}))
