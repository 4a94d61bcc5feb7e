import { defineComponent, h, onScopeDispose, ref, shallowRef, watchEffect } from 'vue'
import type { Nidus } from 'nidus-wasm'
import { liveSearch, type LiveStore } from 'nidus-wasm/live'

export default defineComponent(
  ({ notes }: { notes: LiveStore<Nidus> }) => {
    const question = ref('')
    const search = liveSearch(notes, { collections: 'notes', topK: 5 })
    const found = shallowRef(search.get())
    onScopeDispose(search.subscribe((state) => (found.value = state)))
    watchEffect(() => search.set(question.value))

    const onInput = (event: Event) => (question.value = (event.target as HTMLInputElement).value)
    const line = () => `${found.value.status}: ${found.value.hits.map(({ id }) => id).join(' ')}`
    return () => [h('input', { onInput }), h('p', line())]
  },
  { props: ['notes'] },
)
