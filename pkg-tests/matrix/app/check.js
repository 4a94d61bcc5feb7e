// Runs in each cell: makes a store, writes to it, searches it, closes it, and finds it again. A page also searches for
// words. Their module is a file of its own, which a bundler must include. In a service worker the call is refused.
export async function check(Nidus, name, options = {}) {
  const db = await Nidus.open(name, { dimension: 3, ...options })
  await db.upsert('c', [
    { id: 'a', vector: [1, 0, 0], attrs: { n: 1 } },
    { id: 'b', vector: [0, 1, 0], attrs: { n: 2 } },
  ])
  const [hit] = await db.search([0.2, 0.9, 0], { topK: 1, filter: { n: { $gt: 1 } } })
  await db.close()
  const again = await Nidus.open(name, options)
  let found = `${hit.id} ${await again.count('c')} ${again.storage}`
  if (globalThis.document) {
    await again.setText('words', 'text')
    await again.upsert('words', { id: 'w', vector: [0, 0, 1], attrs: { text: 'EACCES: permission denied' } })
    const [{ id, textScore }] = await again.search({ text: 'eacces', vector: [1, 0, 0] }, { collections: 'words' })
    found += `, ${textScore > 0 ? id : 'no word'}`
  } else if (globalThis.clients) {
    found += `, ${await again.setText('words', 'text').then(
      () => 'words',
      ({ code }) => code,
    )}`
  }
  await again.close()
  return found
}
