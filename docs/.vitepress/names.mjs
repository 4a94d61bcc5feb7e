// A plug-in for TypeDoc that gives the modules the names by which programs import them: `nidus-wasm/segment` and not
// `segment`.
import { Converter, ReflectionKind } from 'typedoc'

export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_, reflection) => {
    if (reflection.kind !== ReflectionKind.Module) return
    reflection.name = reflection.name === 'index' ? 'nidus-wasm' : `nidus-wasm/${reflection.name}`
  })
}
