// The docs site. `npm run build:www` builds it into www/dist/docs. `NIDUS_SITE_BASE` is the folder of the host in which
// the whole site will be, for instance `/nidus-wasm/`. The demo works in any folder, but VitePress's router needs to
// know its own.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitepress'
import { links, REPOSITORY, slug } from './links.mjs'
import { writeLlms } from './llms.mjs'
import { API, INSIDE, PAGES } from './sidebar.mjs'

const dist = (name) => fileURLToPath(new URL(`../../dist/${name}`, import.meta.url))
const site = process.env.NIDUS_SITE_BASE ?? '/'

// The demo's policy, and what VitePress needs: scripts and styles within the page. No other host is allowed.
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ')

export default defineConfig({
  title: 'nidus-wasm',
  description: 'Exact, durable search by words and meaning, in browsers, workers and Node',
  lang: 'en',
  base: `${site}docs/`,
  cacheDir: '../node_modules/.vitepress',
  outDir: '../www/dist/docs',
  rewrites: { 'decisions/README.md': 'decisions/index.md' },
  head: [
    ['meta', { 'http-equiv': 'Content-Security-Policy', content: POLICY }],
    ['link', { rel: 'icon', href: `${site}favicon.svg` }],
    ['meta', { name: 'theme-color', content: '#0c6b4a' }],
  ],
  markdown: {
    anchor: { slugify: slug },
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' },
    config: (md) => void md.use(links),
  },
  themeConfig: {
    logo: { src: '/../favicon.svg', alt: '' },
    nav: [
      { text: 'Tutorial', link: '/tutorial' },
      { text: 'Guides', link: '/guides/words', activeMatch: '/guides/' },
      { text: 'API', link: '/api/', activeMatch: '/api/' },
      { text: 'Errors', link: '/errors' },
      { text: 'Inside', link: '/architecture', activeMatch: '/(architecture|specification|spec/|decisions/)' },
      { text: 'Demo', link: '/../', target: '_self' },
    ],
    sidebar: {
      '/api/': API,
      '/architecture': INSIDE,
      '/specification': INSIDE,
      '/spec/': INSIDE,
      '/decisions/': INSIDE,
      '/': PAGES, // the last one, because every path begins with it
    },
    outline: [2, 3],
    socialLinks: [{ icon: 'github', link: REPOSITORY }],
    editLink: { pattern: `${REPOSITORY}/edit/main/docs/:path`, text: 'Change this page' },
    footer: { message: 'MIT licence. Nothing on this site is sent anywhere.' },
  },
  vite: {
    build: { chunkSizeWarningLimit: 1200 },
    logLevel: 'warn',
    // The search of the site uses the built package.
    resolve: {
      alias: [
        { find: /^nidus-wasm$/, replacement: dist('browser.js') },
        { find: /^nidus-wasm\/text\/transformers$/, replacement: dist('transformers-browser.js') },
        // As in the demo: the model runs on the CPU, so the smaller build is enough.
        { find: 'onnxruntime-web/webgpu', replacement: 'onnxruntime-web/wasm' },
      ],
    },
    worker: { format: 'es' },
  },
  // The home page of VitePress's theme has no landmark for its content.
  transformHtml: (html, _, { pageData }) =>
    pageData.frontmatter.layout === 'home' ? html.replace('id="VPContent"', 'id="VPContent" role="main"') : undefined,
  buildEnd: ({ outDir }) => writeLlms(outDir, site),
})
