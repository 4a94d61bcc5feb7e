// The notes of a person, with every type of file that the page reads.
import { mkdir, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { chromium } from 'playwright'
import { textsOf } from '../sets/texts.mjs'
import { chromium as settings } from '../../scripts/browsers.mjs'

const NOTES: Record<string, string> = {
  'house/roof.md': `---
title: ignored
---
# The roof

## What the roofer said

The tiles on the north side are loose and water comes in above the kitchen. He can start in March and wants four thousand for it.

## Decision

We take the offer, but ask the landlord to pay half. Anna writes the letter this week.
`,
  'house/garden.md': `# Garden

## Tomatoes

Sow indoors at the end of February, plant out after the last frost. They want sun, a stake, and water at the roots, not on the leaves.

## Hedge

Cut it before the birds nest.
`,
  'recipes/bread.txt': `Sourdough. Mix flour, water and the starter in the evening, add salt after an hour, fold it three times and let it rise overnight in the fridge. Bake in a hot iron pot, half an hour with the lid and twenty minutes without.
`,
  'recipes/soup.html': `<!doctype html><html><head><title>Soups</title><style>p{color:red}</style><script>alert("never")</script></head><body><h1>Lentil soup</h1><p>Fry onions, carrots and celery, add red lentils, cumin and stock, and let it simmer until it is soft.</p><h2>For guests</h2><p>Serve it with yoghurt and fresh coriander.</p></body></html>`,
  'travel/lisbon.md': `# Lisbon

Take tram 28 early, before the crowds. The best view is from the terrace by the castle at sunset. Pastries in Belém; book the night train well ahead.
`,
  'travel/photo.jpg': 'not a text',
  // Files of tools, which nobody wants to find.
  '.trash/lease.md': 'How to terminate the lease: an old draft.',
  'node_modules/some/readme.md': 'How long to bake the loaf: never mind.',
}

const PDF =
  '<h1>Rental agreement</h1><p>The tenant pays the deposit of three months within four weeks. Notice must be given ' +
  'in writing three months before the end of a quarter.</p>'

/** Writes the notes under `folder`, and returns its path. */
export async function writeNotes(folder: string) {
  for (const [path, text] of Object.entries(NOTES)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  const old = new Date('2020-05-05')
  await utimes(join(folder, 'travel/lisbon.md'), old, old)
  const browser = await chromium.launch(settings)
  const page = await browser.newPage()
  await page.setContent(PDF)
  await writeFile(join(folder, 'house/contract.pdf'), await page.pdf())
  await browser.close()
  return folder
}

/** Writes one file for each of that many senses of the dictionary, named by its first word. */
export async function writeSenses(folder: string, many: number) {
  await mkdir(folder, { recursive: true })
  const { rows } = textsOf('dictionary')
  // A word with several senses would overwrite its own file.
  const files = new Map(rows.map(([, words, , about]) => [words!.split(', ')[0]!.replace(/[^\w ]/g, '-'), about!]))
  for (const [word, about] of [...files].slice(0, many))
    await writeFile(join(folder, `${word}.txt`), `${word}: ${about}`)
  return folder
}
