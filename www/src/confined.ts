const addresses = new Map<string, string>()

/**
 * A worker under the page's own policy, whatever host serves it: one that starts from a `blob:` address inherits the
 * policy; one that starts from a file has what that file's headers say, and a plain host says nothing.
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
