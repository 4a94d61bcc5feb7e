/**
 * A value of an attribute. Safe integers (not -0) and bigints are stored as 64-bit integers, other finite numbers as 64-bit floats, a Date in whole milliseconds.
 * Integers read back as number where that is exact, else as bigint; a date that is none in JavaScript (another program wrote it, more than 8.64e15 ms from 1970) as a bigint of its milliseconds. NaN, infinities, invalid dates, bigints beyond 64 bits, and strings with a lone
 * surrogate are `INVALID_ARGUMENT`.
 */
export type AttrValue = null | string | number | bigint | boolean | Date | string[]
/** A key whose value is `undefined` counts as absent. `null` is present. */
export type Attrs = { [key: string]: AttrValue | undefined }
/** What a type of attributes of your own must be like, as an interface or a type: `Nidus.open<{ lang: string; year?: number }>(...)` types filters, hits and records. */
export type AttrsOf<A> = { [K in keyof A]: AttrValue | undefined }

/** What a value of type `V` is compared with. Integers and floats compare by value, whatever they are in JavaScript. */
export type Operand<V> = V extends number | bigint ? number | bigint : V extends boolean ? boolean : V

/**
 * Conditions on one attribute; several are ANDed. An absent key fails each of them but `$exists: false` and `$not`.
 *
 * ```js
 * { year: { $gte: 2020, $lt: 2025 } }
 * ```
 */
export type Operators<V = AttrValue> = {
  /** Holds only within one type: a text is not equal to a list that holds it (`$contains` finds that). */
  $eq?: Operand<V>
  $ne?: Operand<V>
  $in?: Operand<V>[]
  $nin?: Operand<V>[]
  /** Ordering holds only within one type; integers and floats compare by value, lists element by element. Null has no order. */
  $gt?: Exclude<Operand<V>, null>
  $gte?: Exclude<Operand<V>, null>
  $lt?: Exclude<Operand<V>, null>
  $lte?: Exclude<Operand<V>, null>
  /** For strings, the whole of them, upper and lower case apart: `*` any run (also over `/`), `?` one character, `[a-z]` one of a class, `[!a-z]` one not of it. */
  $glob?: [Extract<V, string>] extends [never] ? never : string
  /** For lists: this element is in it. Never holds for a string: a part of a text is found by `$glob: '*part*'`. */
  $contains?: Extract<V, string[]>[number]
  $exists?: boolean
  $not?: Condition<V>
}
/** A plain value means `$eq`. */
export type Condition<V = AttrValue> = Operand<V> | Operators<V>

/** The keys that are named, without an index signature. */
type Named<A> = keyof { [K in keyof A as string extends K ? never : K & string]: A[K] }

/**
 * `{ path: { $glob: 'src/*' }, lang: 'rust', year: { $gte: 2020, $lt: 2025 }, $or: [{ tag: 'a' }, { tag: 'b' }] }`: all must hold.
 * A plain value means `$eq`. `{}` matches everything. Keys that begin with `$` are operators. Nested at most 64 deep.
 *
 * Of a store with a type of attributes (`Nidus.open<MyAttrs>`) only its keys, and operands of their types.
 */
export type Filter<A extends AttrsOf<A> = Attrs> = [Named<A>] extends [never]
  ? { [key: string]: Condition | Filter<A> | Filter<A>[] | undefined }
  : { [K in Named<A> & keyof A]?: Condition<Exclude<A[K], undefined>> } & { $and?: Filter<A>[]; $or?: Filter<A>[]; $not?: Filter<A> } & (string extends keyof A ? { [key: string]: unknown } : unknown)
