const addresses = new Map<string, string>()

/**
 * Starts a worker with the page's own policy, on any host. A worker from a `blob:` address inherits the policy of its
 * page. A worker from a file would have the policy in that file's headers, but a plain host sends none.
 */
export function confined(file: string, name: string): Worker {
  const { href } = new URL(file, document.baseURI)
  let address = addresses.get(href)
  if (!address)
    addresses.set(
      href,
      (address = URL.createObjectURL(new Blob([`import ${JSON.stringify(href)}`], { type: 'text/javascript' }))),
    )
  return new Worker(address, { type: 'module', name })
}
