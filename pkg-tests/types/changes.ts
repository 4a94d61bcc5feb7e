// Compiled and never run: listeners, and what they are given.
import { Nidus, type CollectionChange, type StoreChange } from 'nidus-wasm'

type Same<X, Y> = (<T>() => T extends X ? 1 : 2) extends <T>() => T extends Y ? 1 : 2 ? true : false
const same = <T extends true>(..._: T[]) => {}

export function listening(db: Nidus, signal: AbortSignal) {
  const stop = db.on('change', (change) => {
    same<Same<typeof change, StoreChange>>(true)
    const { docs } = change.collections
    same<Same<NonNullable<typeof docs>, CollectionChange>>(true)
    // If a listener did not ask for ids, there may be none.
    const ids: string[] | undefined = docs?.ids
    return ids
  })
  same<Same<typeof stop, () => void>>(true)
  db.on('change', async () => {}, { ids: true, signal })
  db.off('change', () => {})

  // @ts-expect-error there is no such event
  db.on('changes', () => {})
  // @ts-expect-error this is no function
  db.on('change', {})
  // @ts-expect-error there is no such option
  db.on('change', () => {}, { id: true })
  // @ts-expect-error a number in place of a flag
  db.on('change', () => {}, { ids: 1 })
}
