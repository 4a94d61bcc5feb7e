// Makes the tarball as it would be published.
import { join } from 'node:path'
import { at, run } from '../../scripts/lib.mjs'

/** Packs `dist/` into `folder`. Returns the tarball's path. */
export async function pack(folder) {
  const { output } = await run('npm', ['pack', at(), '--json', '--pack-destination', folder], {
    cwd: folder,
    quiet: true,
  })
  // npm may print messages before the JSON.
  return join(folder, JSON.parse(output.slice(output.indexOf('[')))[0].filename)
}
