// One of several processes that race for a store. It tries to open the store when it is told to, and says whether it
// could. It keeps the store open until stdin ends.
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { Nidus } from '../../dist/node.js'

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
  } else if (command === 'close') {
    await db?.close()
    db = undefined
    say('closed')
  }
})
say('ready')
