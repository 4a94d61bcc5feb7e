// transformers.js for Node with the wasm runtime. (The native one is not installed here: it is very large.)
globalThis[Symbol.for('onnxruntime')] = await import('onnxruntime-web')
const library = await import('@huggingface/transformers')
export const { AutoConfig, AutoTokenizer, FeatureExtractionPipeline, env } = library
// It knows no device of a runtime that it did not choose. 'auto' leaves the choice to the runtime.
export const AutoModel = {
  from_pretrained: (model, options) => library.AutoModel.from_pretrained(model, { ...options, device: 'auto' }),
}
