// The oracle for the words of a text. It is written from docs/spec/words.md alone, and compared with the analyzer in
// Rust. It is slow and simple: each step of the page is a step here.

export type Kind = 'W' | 'C' | 'P' | 'G' | 'E' | 'L'
/** A token, its place in UTF-16 offsets, and its kind. */
export type Token = [text: string, from: number, to: number, kind: Kind]

type Class = 'capital' | 'small' | 'digit' | 'outer' | 'inner' | 'dropped' | 'gram' | 'separator'
interface Char {
  class: Class
  /** The character in the text. */
  c: string
  folded: string
  from: number
  to: number
}

const LONGEST = 64
const MOST_DROPPED = 16
const bytes = (text: string) => Buffer.byteLength(text)

/** Reads lists like `00AD, 0300–036F`. */
const ranges = (list: string) =>
  list.split(/[\s,]+/).map((range) => {
    const [first, last = first] = range.split('–').map((code) => parseInt(code, 16))
    return [first!, last!] as const
  })
const isIn = (list: ReturnType<typeof ranges>, code: number) =>
  list.some(([first, last]) => code >= first && code <= last)

const DROPPED = ranges(`00AD, 0300–036F, 0483–0489, 0591–05BD, 05BF, 05C1–05C2, 05C4–05C5, 05C7, 0610–061A, 061C, 0640,
  064B–065F, 0670, 06D6–06DC, 06DF–06E4, 06E7–06E8, 06EA–06ED, 0711, 0730–074A, 0897–089F, 08CA–08E1, 08E3–08FF, 180B–180F,
  1AB0–1AFF, 1DC0–1DFF, 200B–200F, 202A–202E, 2060–206F, 20D0–20FF, 2DE0–2DFF, A66F–A672, A674–A67D, A69E–A69F, FE00–FE0F,
  FE20–FE2F, FEFF, E0000–E0FFF`)
const GRAMS = ranges(`0E00–0EFF, 1000–109F, 1100–11FF, 1780–17FF, 3005–31FF, 3400–9FFF, A960–A97F, A9E0–A9FF, AA60–AA7F,
  AC00–D7FF, F900–FAFF, FF66–FFDC, 1AFF0–1B16F, 20000–3FFFF`)
const DECOMPOSED = ranges('00DF–024F, 0370–03FF, 0400–04FF, 1E00–1EFF, 1F00–1FFF')
const ZEROS =
  ranges(`0660, 06F0, 0966, 09E6, 0A66, 0AE6, 0B66, 0BE6, 0C66, 0CE6, 0D66, 0DE6, 0E50, 0ED0, 0F20, 1040, 17E0,
  1810, 2080, FF10`)
const RAISED = [...'\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079']
const LETTERS: Record<string, string> = {
  ...{
    ß: 'ss',
    æ: 'ae',
    œ: 'oe',
    ø: 'o',
    þ: 'th',
    ð: 'd',
    đ: 'd',
    ħ: 'h',
    ı: 'i',
    ł: 'l',
    ŀ: 'l',
    ŧ: 't',
    ŋ: 'n',
    ŉ: 'n',
  },
  ...{ ſ: 's', ĳ: 'ij', ǆ: 'dz', ǳ: 'dz', ǉ: 'lj', ǌ: 'nj', ẚ: 'a', ς: 'σ' },
  ...{ '\u0622': '\u0627', '\u0623': '\u0627', '\u0625': '\u0627', '\u0671': '\u0627', '\u0624': '\u0648' },
  ...{ '\u0626': '\u064a', '\u0649': '\u064a', '\u06cc': '\u064a', '\u0629': '\u0647', '\u06c0': '\u0647' },
  ...{ '\u06c1': '\u0647', '\u06c2': '\u0647', '\u06d5': '\u0647', '\u06a9': '\u0643', '\u06d3': '\u06d2' },
  ...{
    '\ufb00': 'ff',
    '\ufb01': 'fi',
    '\ufb02': 'fl',
    '\ufb03': 'ffi',
    '\ufb04': 'ffl',
    '\ufb05': 'st',
    '\ufb06': 'st',
  },
}

const digitOf = (code: number) => {
  const raised = RAISED.indexOf(String.fromCodePoint(code))
  if (raised >= 0) return String(raised)
  const zero = ZEROS.find(([zero]) => code >= zero && code <= zero + 9)
  return zero && String(code - zero[0])
}

/**
 * Returns whether a code point belongs to words. The properties are those of the running engine. An unassigned code
 * point counts like the assigned one before it.
 */
function isWord(code: number): boolean {
  for (; code >= 0x80; code--) {
    const c = String.fromCodePoint(code)
    if (!/\p{Cn}/u.test(c)) return /[\p{Alphabetic}\p{L}\p{M}\p{N}]/u.test(c)
  }
  return false
}

/** Returns the simple lower case. `toLowerCase` may give more than one code point, and then the first one is it. */
const lower = (c: string) => [...c.toLowerCase()][0]!

function fold(c: string): string {
  let small = lower(c)
  if (isIn(DECOMPOSED, small.codePointAt(0)!)) small = [...small.normalize('NFD')][0]!
  if (small >= '\uff41' && small <= '\uff5a') return String.fromCharCode(small.charCodeAt(0) - 0xff41 + 0x61)
  return LETTERS[small] ?? small
}

function look(c: string): [Class, folded: string] {
  const code = c.codePointAt(0)!
  if (/[A-Z]/.test(c)) return ['capital', c.toLowerCase()]
  if (/[a-z]/.test(c)) return ['small', c]
  if (/[0-9]/.test(c)) return ['digit', c]
  if (/[-.:\u2010\u2011]/.test(c)) return ['outer', '']
  if (/[_'\u2019\u02bc\u05f3\u05f4\uff07]/.test(c)) return ['inner', '']
  if (code < 0x80) return ['separator', '']
  if (isIn(DROPPED, code)) return ['dropped', '']
  const digit = digitOf(code)
  if (digit) return ['digit', digit]
  if (!isWord(code)) return ['separator', '']
  if (isIn(GRAMS, code)) return ['gram', '']
  return [lower(c) === c ? 'small' : 'capital', fold(c)]
}

const known = new Map<string, [Class, string]>()
function chars(text: string): Char[] {
  let from = 0
  return [...text.replace(/\p{Cs}/gu, '\ufffd')].map((c) => {
    let seen = known.get(c)
    if (!seen) known.set(c, (seen = look(c)))
    return { c, class: seen[0], folded: seen[1], from, to: (from += c.length) }
  })
}

interface Letter extends Char {
  /** The joint before it, if there is one. */
  joint?: 'outer' | 'inner'
  /** Whether the joint is a dot between digits. */
  dot?: boolean
  /** Where it ends in the text, with the dropped characters after it and its sign. */
  end: number
  /** Its index in the text. */
  index: number
  /** If a sign follows it, the token of its part, with the sign. */
  sign?: string
  /** Where the character of its joint is in the text. */
  joiner?: number
}

const isLetter = (char?: Char): char is Char =>
  char?.class === 'capital' || char?.class === 'small' || char?.class === 'digit'

/** Returns the index after the dropped characters at `at`. It skips at most MOST_DROPPED of them. */
function dropped(all: Char[], at: number) {
  let end = at
  while (all[end]?.class === 'dropped' && end - at < MOST_DROPPED) end++
  return end
}

/** If there is a joint at `at`, returns the index of the letter after it. */
function joined(all: Char[], at: number) {
  const char = all[at]
  if (char?.class !== 'outer' && char?.class !== 'inner') return
  let next = at + 1
  if (char.c === ':' && all[next++]?.c !== ':') return
  next = dropped(all, next)
  return isLetter(all[next]) ? next : undefined
}

const textOf = (letters: Letter[]) =>
  letters.map((letter, index) => (letter.dot && index > 0 ? '.' : '') + letter.folded).join('')

/** Cuts letters into parts, before each letter for which `begins` is true. */
function cut(letters: Letter[], begins: (letter: Letter) => boolean) {
  const parts: Letter[][] = []
  letters.forEach((letter, index) => {
    if (index === 0 || begins(letter)) parts.push([])
    parts.at(-1)!.push(letter)
  })
  return parts
}
const partsOf = (letters: Letter[]) => cut(letters, (letter) => !!letter.joint)
const piecesOf = (letters: Letter[]) => cut(letters, (letter) => letter.joint === 'outer')

/** Adds the joints that have no character of their own, as in `camelCase`, once the last letter of a run shows them. */
function joinLetters(run: Letter[]) {
  const last = run.at(-1)!
  const part = partsOf(run).at(-1)!
  const before = part.at(-2)?.class
  if (last.class === 'capital' && (before === 'small' || before === 'digit')) last.joint = 'inner'
  const four = part.slice(-4)
  if (four.map((letter) => letter.class).join() === 'capital,capital,small,small') four[1]!.joint = 'inner'
}

const isDot = (all: Char[], at: number, before: Char | undefined, behind: number) =>
  all[at]!.c === '.' && before?.class === 'digit' && all[behind]!.class === 'digit'

/** Returns the index after the piece at `at`, whose rest is left out. */
function restEnd(all: Char[], at: number): number {
  for (;;) {
    const letter = all[at]
    at = dropped(all, at + 1)
    const behind = joined(all, at)
    if (behind !== undefined && (all[at]!.class === 'inner' || isDot(all, at, letter, behind))) at = behind
    else if (!isLetter(all[at])) return at
  }
}

/** Adds the tokens of the run at `at` to `tokens`. Returns the index after the run. */
function lettersAt(all: Char[], at: number, tokens: Token[]): number {
  let run: Letter[] = []
  let joint: Pick<Letter, 'joint' | 'dot' | 'joiner'> = {}
  let end: number | undefined
  for (;;) {
    const next = dropped(all, at + 1)
    const letter: Letter = { ...all[at]!, ...joint, index: at, end: all[next - 1]!.to }
    if (bytes(textOf([...run, letter])) > LONGEST) {
      const pieces = piecesOf([...run, letter])
      if (pieces.length > 1) {
        at = pieces.at(-1)![0]!.index
        run = pieces.slice(0, -1).flat()
      } else {
        end = letter.joiner ?? letter.from
        at = restEnd(all, at)
      }
      break
    }
    run.push(letter)
    joinLetters(run)
    at = next
    const folded = textOf(partsOf(run).at(-1)!)
    const signs = (all[at]?.c ?? '') + (all[at + 1]?.c ?? '')
    const sign = folded === 'c' && signs === '++' ? '++' : /^[cf]$/.test(folded) && signs[0] === '#' ? '#' : ''
    if (sign) {
      at += sign.length
      letter.sign = folded + sign
      letter.end = all[at - 1]!.to
    }
    const behind = joined(all, at)
    if (behind !== undefined) {
      const dot = isDot(all, at, letter, behind)
      joint = { joint: dot || all[at]!.class === 'inner' ? 'inner' : 'outer', dot, joiner: all[at]!.from }
      at = behind
    } else {
      joint = {}
      if (sign || !isLetter(all[at])) break
    }
  }
  emit(run, tokens, end)
  return at
}

function emit(run: Letter[], tokens: Token[], end?: number) {
  const token = (letters: Letter[], kind: Kind, text = textOf(letters)): Token => {
    const last = letters.at(-1)!
    const to = last === run.at(-1) ? (end ?? last.end) : last.end
    return [text, letters[0]!.from, to, kind]
  }
  const part = (letters: Letter[], kind: Kind) => token(letters, kind, letters.at(-1)!.sign ?? textOf(letters))
  const pieces = piecesOf(run).map(partsOf)
  if (pieces.flat().length === 1) return void tokens.push(part(run, 'W'))
  if (pieces.length > 1) tokens.push(token(run, 'C'))
  for (const parts of pieces) {
    if (parts.length > 1) {
      const piece = parts.flat()
      tokens.push(token(piece, 'C'))
      const [first, second] = parts[0]!
      if (first!.folded === 'v' && second?.class === 'digit' && textOf(piece).includes('.'))
        tokens.push(token(piece.slice(1), 'P'))
    }
    for (const letters of parts)
      if ([...textOf(letters)].length > 1 || letters.at(-1)!.sign) tokens.push(part(letters, 'P'))
  }
}

/** Adds the tokens of the run of grams at `at` to `tokens`. Returns the index after the run. */
function gramsAt(all: Char[], at: number, tokens: Token[]): number {
  const units: { c: string; from: number; to: number }[] = []
  while (all[at]?.class === 'gram') {
    const wide = (c: string) => (/[\uff66-\uff9f]/.test(c) ? c.normalize('NFKC') : c)
    const c = wide(all[at]!.c)
    const last = units.at(-1)
    const composed = last && compose(last.c, c)
    if (composed) last.c = composed
    else units.push({ c, from: all[at]!.from, to: 0 })
    at = dropped(all, at + 1)
    units.at(-1)!.to = all[at - 1]!.to
    if (all[at]?.class === 'dropped') break
  }
  units.forEach(({ c, from, to }, index) => {
    const next = units[index + 1]
    if (next) tokens.push([c + next.c, from, next.to, 'G'])
    else tokens.push([c, from, to, index ? 'E' : 'L'])
  })
  return at
}

function compose(first: string, second: string) {
  const hangul =
    (/[\u1100-\u1112]/.test(first) && /[\u1161-\u1175]/.test(second)) ||
    (/[\uac00-\ud7a3]/.test(first) && /[\u11a8-\u11c2]/.test(second))
  const kana = /[\u3041-\u30ff]/.test(first) && /[\u3099\u309a]/.test(second)
  if (!hangul && !kana) return
  const composed = (first + second).normalize('NFC')
  return [...composed].length === 1 ? composed : undefined
}

/** Returns the tokens of a text. */
export function tokens(text: string): Token[] {
  const all = chars(text)
  const found: Token[] = []
  for (let at = 0; at < all.length;) {
    if (isLetter(all[at])) at = lettersAt(all, at, found)
    else if (all[at]!.class === 'gram') at = gramsAt(all, at, found)
    else at++
  }
  return found
}
