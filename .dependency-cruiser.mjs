// The rules of imports in src/ts. The folders from top to bottom: a module imports only from its own folder and from
// folders below it.
export const LAYERS = [
  'entry',
  'cli',
  'langchain',
  'sharded',
  'react',
  'live',
  'text-index',
  'transformers',
  'api',
  'question',
  'changes',
  'platforms',
  'remote',
  'tabs',
  'stores',
  'text',
  'engine',
  'threads',
  'transfer',
  'static',
  'hosts',
  'messages',
  'arguments',
  'core',
  'format',
  'runtime',
  'contract',
  'errors',
  'types',
]

const folder = (name) => `^src/ts/${name}/`

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circle',
      comment: 'Modules that import each other cannot be understood one by one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...LAYERS.slice(1).map((name, i) => ({
      name: `${name}-imports-downward`,
      comment: `${name} lies below ${LAYERS.slice(0, i + 1).join(', ')}.`,
      severity: 'error',
      from: { path: folder(name) },
      to: { path: LAYERS.slice(0, i + 1).map(folder) },
    })),
    {
      name: 'every-folder-has-its-layer',
      comment: 'A new folder of src/ts gets its place in LAYERS.',
      severity: 'error',
      from: { path: '^src/ts/', pathNot: ['^src/ts/check-types\\.ts$', ...LAYERS.map(folder)] },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.d.ts', '.js', '.mjs'] },
  },
}
