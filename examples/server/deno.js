// TOKEN=secret deno run --allow-net --allow-env --allow-read --allow-write --node-modules-dir=manual deno.js
import { server } from './files.js'

const { fetch, close } = server({
  directory: Deno.env.get('DIRECTORY') ?? './stores',
  dimension: Number(Deno.env.get('DIMENSION') ?? 384),
  token: Deno.env.get('TOKEN'),
})
const http = Deno.serve(
  {
    port: Number(Deno.env.get('PORT') ?? 8000),
    hostname: Deno.env.get('HOSTNAME') ?? '127.0.0.1',
    onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
  },
  fetch,
)
for (const signal of ['SIGINT', 'SIGTERM']) {
  Deno.addSignalListener(signal, async () => {
    await http.shutdown()
    await close()
    Deno.exit(0)
  })
}
