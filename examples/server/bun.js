// TOKEN=secret bun bun.js
import { server } from './files.js'

const { DIRECTORY = './stores', DIMENSION = '384', TOKEN, PORT = '8000', HOSTNAME = '127.0.0.1' } = process.env
const { fetch, close } = server({ directory: DIRECTORY, dimension: Number(DIMENSION), token: TOKEN })
const http = Bun.serve({ port: Number(PORT), hostname: HOSTNAME, fetch, idleTimeout: 60 })
console.log(`http://127.0.0.1:${http.port}`)
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, async () => {
    await http.stop()
    await close()
    process.exit(0)
  })
}
