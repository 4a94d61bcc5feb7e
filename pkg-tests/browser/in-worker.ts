/**
 * Runs the text of a function in a worker, so the function may use nothing from outside itself. `load` imports a
 * module: the test runner rewrites `import()`.
 */
export function inWorker<A, R>(work: (argument: A, load: (url: string) => Promise<unknown>) => Promise<R>) {
  // Modules that the package loads on demand use the runner's wrapper of `import()`, which exists only in pages.
  const script = `globalThis.__vitest_browser_runner__ = { wrapDynamicImport: (load) => load() }
  onmessage = async ({ data }) => {
    try {
      postMessage({ ok: await (${work.toString()})(data, (url) => import(url)) })
    } catch (error) {
      postMessage({ error: error.name + ': ' + error.message + ' ' + (error.code ?? '') + error.stack })
    }
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

/** The start of a script for `patchedWorker`: `broken` is false until the test sends the message 'break'. */
export const breakable = (script: string) => `
  let broken = false
  addEventListener('message', (event) => {
    if (event.data !== 'break') return
    event.stopImmediatePropagation()
    broken = true
  })
  ${script}`

/**
 * The package's worker, with a script of the test before it. The worker loads after its first messages arrive, so they
 * are held back for it. Messages that are strings are for the script, which stops them with its listener.
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
