// Reads from the public types which objects public methods take, with their keys and types. So nobody has to maintain a
// list.
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
const ENTRIES = [
  'index',
  'segment',
  'durable-object',
  'sharded',
  'langchain',
  'text-index',
  'transformers',
  'live',
  'react',
]
/**
 * Objects that may have any keys. The runtime, LangChain or the user defines them, or their keys are the user's data.
 */
const NOT_OPTIONS = new Set([
  'URL',
  'Blob',
  'Response',
  'ReadableStream',
  'AsyncIterable',
  'PromiseLike',
  'ArrayBuffer',
  'SharedArrayBuffer',
  'ArrayBufferView',
  'Uint8Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'Module',
  'AbortSignal',
  'Error',
  'StorageHost',
  'SyncAccessHandle',
  'StaticBucket',
  'DurableStorage',
  'ShardedNamespace',
  'Nidus',
  'TextIndex',
  'LiveStore',
  'OpenState',
  'WaitingState',
  'FailedState',
  'Embedder',
  'EmbeddingsInterface',
  'DocumentInterface',
  'Filter',
  'Record',
])
/** Classes that only the runtime creates and calls. */
const NOT_CALLED = new Set(['NidusShard', 'NidusRouter', 'NidusError'])
const program = ts.createProgram(
  ENTRIES.map((name) => fileURLToPath(new URL(`../../src/ts/types/${name}.d.ts`, import.meta.url))),
  {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    exactOptionalPropertyTypes: false,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.asynciterable.d.ts', 'lib.esnext.disposable.d.ts'],
    types: [],
  },
)
const checker = program.getTypeChecker()
const isList = (name) => name !== undefined && ['Array', 'ReadonlyArray', 'Iterable', 'ArrayLike'].includes(name)
/** Returns the object types in a type, including those in lists. */
function objectsIn(type) {
  if (type.isUnion()) return type.types.flatMap(objectsIn)
  const name = (type.aliasSymbol ?? type.symbol)?.name
  if (isList(type.symbol?.name)) return checker.getTypeArguments(type).slice(0, 1).flatMap(objectsIn)
  if (
    !(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) ||
    NOT_OPTIONS.has(name ?? '') ||
    NOT_OPTIONS.has(type.symbol?.name ?? '')
  )
    return []
  if (type.getCallSignatures().length > 0 || type.getStringIndexType() || type.getProperties().length === 0) return []
  return [type]
}
function kindsOf(type) {
  const kinds = new Set()
  const alternatives = (one) => {
    if (one.isUnion()) return one.types.flatMap(alternatives)
    const known = one.flags & ts.TypeFlags.Instantiable ? checker.getBaseConstraintOfType(one) : undefined
    return known && known !== one ? alternatives(known) : [one]
  }
  for (const each of alternatives(type)) {
    if (each.flags & ts.TypeFlags.BooleanLiteral)
      kinds.add(checker.typeToString(each) === 'false' && !kinds.has('boolean') ? 'false' : 'boolean')
    else if (each.flags & ts.TypeFlags.Number) kinds.add('number')
    else if (each.flags & ts.TypeFlags.String) kinds.add('string')
    else if (each.flags & ts.TypeFlags.StringLiteral) kinds.add('word')
    else if (each.getCallSignatures().length > 0) kinds.add('function')
    else if (isList(each.symbol?.name)) kinds.add('array')
    else if (!(each.flags & ts.TypeFlags.Undefined)) kinds.add('object')
  }
  return kinds
}
function optionsOf(types, at) {
  const options = new Map()
  for (const type of types) {
    for (const property of type.getProperties()) {
      const { takes } =
        options.get(property.name) ??
        options.set(property.name, { key: property.name, takes: new Set() }).get(property.name)
      for (const kind of kindsOf(checker.getTypeOfSymbolAtLocation(property, at))) takes.add(kind)
    }
  }
  // A key whose type is only `undefined` cannot be passed.
  return [...options.values()]
    .filter(({ takes }) => takes.size > 0)
    .map(({ key, takes }) => ({ key, takes: [...takes] }))
}
/** Returns whether the overloads of a method take different objects. */
const differs = (method) => method === 'search'

function taken(place, signature, at) {
  return signature.parameters
    .filter(({ name }) => !/^_?callbacks$/.test(name))
    .flatMap((parameter) => {
      const found = objectsIn(checker.getTypeOfSymbolAtLocation(parameter, at))
      // `upsert` takes two kinds of objects, each under its own name. Elsewhere all alternatives count as one object.
      const byName = new Map()
      for (const type of found) {
        const name =
          /Nidus\.upsert$/.test(place) && found.length > 1 ? `: ${type.aliasSymbol?.name ?? type.symbol?.name}` : ''
        byName.set(name, [...(byName.get(name) ?? []), type])
      }
      return [...byName].map(([name, types]) => {
        const options = optionsOf(types, at)
        return { place: `${place}(${parameter.name}${name})`, keys: options.map(({ key }) => key), options }
      })
    })
}
/** Returns all objects that public methods take, and the names of the public methods of each class. */
export function publicTypes() {
  const [all, methods] = [[], new Map()]
  for (const file of program.getSourceFiles().filter(({ fileName }) => fileName.includes('/src/ts/types/'))) {
    const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(file))
    for (const symbol of exported) {
      const at = symbol.declarations?.[0]
      if (!at || at.getSourceFile() !== file || NOT_CALLED.has(symbol.name)) continue
      if (ts.isFunctionDeclaration(at))
        all.push(
          ...checker
            .getTypeOfSymbolAtLocation(symbol, at)
            .getCallSignatures()
            .flatMap((each) => taken(symbol.name, each, at)),
        )
      if (!ts.isClassDeclaration(at)) continue
      const [statics, instance] = [
        checker.getTypeOfSymbolAtLocation(symbol, at),
        checker.getDeclaredTypeOfSymbol(symbol),
      ]
      const names = []
      const open = !at.members.some(
        (member) =>
          ts.isConstructorDeclaration(member) &&
          member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.PrivateKeyword),
      )
      if (open) all.push(...statics.getConstructSignatures().flatMap((each) => taken(`new ${symbol.name}`, each, at)))
      for (const member of [...statics.getProperties(), ...instance.getProperties()]) {
        const where = member.valueDeclaration
        // A method that is inherited from a class of LangChain.
        const theirs = where?.getSourceFile().fileName.includes('@langchain/')
        if (
          !where ||
          !ts.isMethodDeclaration(where) ||
          member.name.startsWith('__') ||
          (theirs && !where.parent.name?.text.startsWith('VectorStore'))
        )
          continue
        if (!theirs) names.push(member.name)
        // A class and its objects can have methods of the same name.
        const own = ts.getCombinedModifierFlags(where) & ts.ModifierFlags.Static ? '' : '(of a store) '
        const both = own && statics.getProperty(member.name) ? own : ''
        all.push(
          ...checker
            .getTypeOfSymbolAtLocation(member, at)
            .getCallSignatures()
            .flatMap((each, i) =>
              taken(
                `${symbol.name}.${both}${i > 0 && differs(member.name) ? `(overload ${i + 1}) ` : ''}${member.name}`,
                each,
                at,
              ),
            ),
        )
      }
      methods.set(symbol.name, names)
    }
  }
  // Overloads and alternatives with the same name count once.
  const unique = new Map(all.map((each) => [each.place, each]))
  return { taken: [...unique.values()], methods: Object.fromEntries(methods) }
}
