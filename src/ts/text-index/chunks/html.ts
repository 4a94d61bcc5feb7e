import { LONGEST_HEADING, Outline } from './outline.js'
import type { Section } from './units.js'

/** Tags that begin a new paragraph. */
const BLOCKS = new Set(
  (
    'address article aside blockquote body dd details dialog div dl dt fieldset figcaption figure footer form header ' +
    'hr html li main nav ol option p pre section summary table tbody td tfoot th thead tr ul'
  ).split(' '),
)
/** Tags whose content is no text. */
const SILENT = new Set(['title', 'script', 'style', 'template', 'noscript', 'svg', 'math', 'iframe', 'object'])
/** Tags whose content is not read as tags. */
const RAW = new Set(['script', 'style', 'template', 'noscript', 'iframe'])

const ENTITIES: { [name: string]: string } = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  shy: '',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  laquo: '«',
  raquo: '»',
  bull: '•',
  middot: '·',
  euro: '€',
  pound: '£',
  deg: '°',
  times: '×',
  auml: 'ä',
  ouml: 'ö',
  uuml: 'ü',
  Auml: 'Ä',
  Ouml: 'Ö',
  Uuml: 'Ü',
  szlig: 'ß',
  eacute: 'é',
  egrave: 'è',
  agrave: 'à',
  ccedil: 'ç',
  ntilde: 'ñ',
  aacute: 'á',
  iacute: 'í',
  oacute: 'ó',
  uacute: 'ú',
  acirc: 'â',
  ecirc: 'ê',
  icirc: 'î',
  ocirc: 'ô',
  ucirc: 'û',
  euml: 'ë',
  iuml: 'ï',
  ograve: 'ò',
  ugrave: 'ù',
  igrave: 'ì',
  atilde: 'ã',
  otilde: 'õ',
  aring: 'å',
  oslash: 'ø',
  aelig: 'æ',
  oelig: 'œ',
}

const decoded = (text: string) =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));/g, (whole, decimal, hex, name) => {
    if (name) return Object.hasOwn(ENTITIES, name as string) ? ENTITIES[name as string] : whole
    const point = decimal ? Number(decimal) : parseInt(hex as string, 16)
    return point > 0 && point <= 0x10ffff && !(point >= 0xd800 && point < 0xe000) ? String.fromCodePoint(point) : whole
  })

/** Returns the end of the tag that begins at `at`, or -1 if it has none. A `>` in quotes does not end it. */
function endOfTag(html: string, at: number): number {
  let quote = ''
  for (let i = at + 1; i < html.length; i++) {
    const letter = html[i]
    if (quote) quote = letter === quote ? '' : quote
    else if (letter === '>') return i + 1
    else if ((letter === '"' || letter === "'") && html[i - 1] === '=') quote = letter
  }
  return -1
}

/** Splits HTML into tags and texts. A `<` that begins no whole tag is text. */
function* tokens(html: string): Iterable<{ tag?: string; closing?: boolean; start: number; end: number }> {
  // Once one tag has no end, no later one has.
  let whole = true
  for (let at = 0, from = 0; ;) {
    const open = html.indexOf('<', from)
    if (open < 0) {
      if (at < html.length) yield { start: at, end: html.length }
      return
    }
    const comment = html.startsWith('<!--', open)
    const name = comment ? undefined : /^<(\/?)([a-zA-Z][\w-]*|!|\?)/.exec(html.slice(open, open + 40))
    let end = -1
    if (comment) {
      end = html.indexOf('-->', open)
      end = end < 0 ? html.length : end + 3
    } else if (name && whole) {
      end = endOfTag(html, open)
      whole = end >= 0
    }
    if (end < 0) {
      from = open + 1
      continue
    }
    if (open > at) yield { start: at, end: open }
    const tag = name?.[2]!.toLowerCase()
    if (tag) yield { tag, closing: name![1] === '/', start: open, end }
    at = from = end
    if (tag && RAW.has(tag) && name![1] === '') {
      const close = new RegExp(`</${tag}\\b`, 'gi')
      close.lastIndex = end
      at = from = close.exec(html)?.index ?? html.length
    }
  }
}

/** Cuts HTML at its blocks. The text of a piece is what a reader sees; its place is that of the source. */
export function sectionsOfHtml(html: string): Section[] {
  const outline = new Outline()
  let silent: string | undefined
  let depth = 0
  let heading: { level: number; text: string; start: number } | undefined
  let block: { text: string; start: number; end: number } | undefined
  let pre = false
  const flush = () => {
    const text = block && (pre ? block.text : block.text.replace(/\s+/g, ' ').trim())
    if (text?.trim()) outline.paragraphs.whole(text, block!.start, block!.end)
    block = undefined
  }
  const endHeading = (end: number) => {
    const text = heading?.text.replace(/\s+/g, ' ').trim()
    if (heading && text) {
      if (text.length <= LONGEST_HEADING) outline.heading(heading.level, text, text, heading.start, end)
      else outline.paragraphs.whole(text, heading.start, end)
    }
    heading = undefined
  }
  for (const { tag, closing, start, end } of tokens(html)) {
    if (silent !== undefined) {
      if (tag === silent && (depth += closing ? -1 : 1) === 0) silent = undefined
      continue
    }
    if (tag === undefined) {
      const text = decoded(html.slice(start, end))
      if (heading) heading.text += text
      else if (block) block = { text: block.text + text, start: block.start, end }
      else if (text.trim() !== '') block = { text, start, end }
      continue
    }
    const level = /^h([1-6])$/.exec(tag)?.[1]
    if (SILENT.has(tag) && !closing && !html.slice(start, end).endsWith('/>')) {
      silent = tag
      depth = 1
    } else if (level) {
      flush()
      endHeading(end)
      if (!closing) heading = { level: Number(level), text: '', start }
    } else if (tag === 'br' && heading) {
      heading.text += ' '
    } else if (tag === 'br' && block) block.text += '\n'
    else if (BLOCKS.has(tag)) {
      flush()
      // A heading that nobody closed ends where a paragraph begins.
      endHeading(start)
      if (tag === 'pre') pre = !closing
    }
  }
  flush()
  endHeading(html.length)
  return outline.end()
}
