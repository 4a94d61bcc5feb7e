/**
 * Runs a function's own text in a worker of the test's; it may use nothing from around it. `load` imports: the test
 * runner rewrites `import()`.
 */
export function inWorker<A, R>(work: (argument: A, load: (url: string) => Promise<unknown>) => Promise<R>) {
  // What the package loads on demand goes through the runner as well, which pages have and workers do not.
  const script = `globalThis.__vitest_browser_runner__ = { wrapDynamicImport: (load) => load() }
  onmessage = async ({ data }) => {
    try { postMessage({ ok: await (${work.toString()})(data, (url) => import(url)) }) } catch (error) { postMessage({ error: error.name + ': ' + error.message + ' ' + (error.code ?? '') + error.stack }) }
  }`
  const worker = new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
  return {
    run: (argument: A) =>
      new Promise<R>((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<{ ok: R; error?: string }>) =>
          data.error ? reject(new Error(data.error)) : resolve(data.ok)
        worker.onerror = (event) => reject(new Error(event.message))
        worker.postMessage(argument)
      }),
    end: () => worker.terminate(),
  }
}

/** Begins a script for `patchedWorker`: `broken` is false until the test sends the message 'break'. */
export const breakable = (script: string) => `
  let broken = false
  addEventListener('message', (event) => {
    if (event.data !== 'break') return
    event.stopImmediatePropagation()
    broken = true
  })
  ${script}`

/**
 * The package's own worker, behind a script of the test's. It loads later than its first messages arrive: they are held
 * back for it. Strings are the test's own; the script takes them with a listener that stops them.
 */
export function patchedWorker(first: string): Worker {
  const script = `${first}
    const queue = []
    const hold = (event) => queue.push(event.data)
    addEventListener('message', hold)
    import(${JSON.stringify(new URL('../../dist/worker.js', import.meta.url).href)}).then(() => {
      removeEventListener('message', hold)
      for (const data of queue) dispatchEvent(new MessageEvent('message', { data }))
    })`
  return new Worker(URL.createObjectURL(new Blob([script], { type: 'text/javascript' })), { type: 'module' })
}
