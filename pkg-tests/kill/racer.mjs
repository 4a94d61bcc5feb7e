// One of several processes that race for a store. It tries to open the store when it is told to, and says whether it
// could. It keeps the store open until stdin ends.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Nidus } from '../../dist/node.js'

const ROUNDS = 60
let watching = false

/** Makes, compacts and destroys the store again and again. Says each answer that nobody should get, or nothing. */
async function churn(directory) {
  const wrong = new Set()
  const allowed = (error) => error.code === 'LOCKED' || wrong.add(`${error.code} ${error.message}`)
  for (let round = 0; round < ROUNDS;) {
    try {
      const db = await Nidus.open(directory, { dimension: 4 })
      round++
      await db.upsert('c', [{ id: 'a', vector: [1, 0, 0, 0] }])
      if (round % 3 === 0) await db.compact()
      await db.close()
    } catch (error) {
      allowed(error)
    }
    if (round % 2 === 0) await Nidus.destroy(directory).catch(allowed)
  }
  return [...wrong].join('; ')
}

/** Reads the store again and again. Says each answer that nobody should get, or nothing. */
async function watch(directory) {
  const wrong = new Set()
  let read = 0
  while (watching || read === 0) {
    try {
      const db = await Nidus.open(directory, { readOnly: true })
      if (!((await db.count()) <= 1)) wrong.add('more than was written')
      read++
      await db.close()
    } catch (error) {
      if (error.code !== 'NOT_FOUND') wrong.add(`${error.code} ${error.message}`)
    }
    await new Promise((resolve) => setImmediate(resolve)) // lets "enough" arrive
  }
  return [...wrong].join('; ')
}

const say = (text) => writeSync(1, new TextEncoder().encode(`${text}\n`))
let db
createInterface({ input: process.stdin }).on('line', async (line) => {
  const [command, directory] = line.split('\t')
  if (command === 'open') {
    try {
      db = await Nidus.open(directory, { dimension: 4 })
      await db.upsert('c', [{ id: String(process.pid), vector: [1, 0, 0, 0] }])
      say('got')
    } catch (error) {
      say(`${error.code} ${error.message}`)
    }
  } else if (command === 'check') {
    // The process that got the store must still have it after the others have given up.
    try {
      await db?.upsert('c', [{ id: 'later', vector: [0, 1, 0, 0] }])
      say('still')
    } catch (error) {
      say(`${error.code} ${error.message}`)
    }
  } else if (command === 'block') {
    say('blocking')
    const until = Date.now() + Number(directory)
    while (Date.now() < until);
    say('unblocked')
  } else if (command === 'churn') {
    say(await churn(directory))
  } else if (command === 'watch') {
    watching = true
    say(await watch(directory))
  } else if (command === 'enough') {
    watching = false
  } else if (command === 'close') {
    await db?.close()
    db = undefined
    say('closed')
  }
})
say('ready')
