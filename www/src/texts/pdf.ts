// This file is loaded with the first PDF. So users without PDFs do not fetch the library.
import { getDocument, PDFWorker } from 'pdfjs-dist'
import file from 'pdfjs-dist/build/pdf.worker.min.mjs?url'
import { confined } from '../confined'
import type { Section } from './passages'

let worker: PDFWorker | undefined

/** Returns a section for each page. */
export async function pdfSections(bytes: ArrayBuffer): Promise<Section[]> {
  const task = getDocument({
    worker: (worker ??= PDFWorker.create({ port: confined(file, 'pdf') })),
    data: new Uint8Array(bytes),
    useSystemFonts: true,
  })
  const pdf = await task.promise
  try {
    const sections: Section[] = []
    for (let n = 1; n <= pdf.numPages; n++) {
      const { items } = await (await pdf.getPage(n)).getTextContent()
      const text = items.map((item) => ('str' in item ? item.str + (item.hasEOL ? '\n' : ' ') : '')).join('')
      // Joins a word that was divided at the end of a line.
      sections.push({ headings: [`page ${n}`], text: text.replace(/(\p{L})-\n(\p{Ll})/gu, '$1$2') })
    }
    return sections
  } finally {
    await task.destroy()
  }
}
