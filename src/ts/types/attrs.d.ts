/**
 * A value that an attribute can hold: a string, a number, a bigint, a boolean, a date, a list of strings, or null.
 *
 * - Safe integers (except -0) and bigints are stored as 64-bit integers. All other finite numbers are stored as
 *   64-bit floats.
 * - A Date is stored in whole milliseconds.
 * - An integer is read back as a number where that is exact, and as a bigint otherwise.
 * - A date that JavaScript cannot express is read back as a bigint of its milliseconds. Only another program can
 *   have written one: it is more than 8.64e15 ms away from 1970.
 * - NaN, infinities, invalid dates, bigints beyond 64 bits and strings with a lone surrogate are refused with
 *   `INVALID_ARGUMENT`.
 */
export type AttrValue = null | string | number | bigint | boolean | Date | string[]
/**
 * The attributes of a record: keys with an {@link AttrValue} each. A key whose value is `undefined` counts as absent.
 * A key whose value is `null` is present.
 */
export type Attrs = { [key: string]: AttrValue | undefined }
/**
 * The constraint on your own type of attributes. It may be an interface or a type alias:
 * `Nidus.open<{ lang: string; year?: number }>(...)` types filters, hits and records.
 */
export type AttrsOf<A> = { [K in keyof A]: AttrValue | undefined }

/**
 * The type of value that an attribute of type `V` can be compared with. Integers and floats compare by value,
 * whether JavaScript holds them as number or as bigint.
 */
export type Operand<V> = V extends number | bigint ? number | bigint : V extends boolean ? boolean : V

/** The operand of operators on strings: none, if an attribute of type `V` is never a string. */
type OfText<V> = [Extract<V, string>] extends [never] ? never : string
/** The operand of operators on lists: none, if an attribute of type `V` is never a list. */
type OfList<V> = [Extract<V, string[]>] extends [never] ? never : Extract<V, string[]>[number][]

/**
 * Conditions on one attribute. All of them must hold. If a record does not have the attribute, every operator fails,
 * except `$exists: false` and `$not`.
 *
 * ```js
 * { year: { $gte: 2020, $lt: 2025 } }
 * ```
 */
export type Operators<V = AttrValue> = {
  /**
   * Matches if the value equals this one. Values of different types are never equal: a string does not equal a list
   * that contains it (use `$contains` for that).
   */
  $eq?: Operand<V>
  /** Matches if the attribute is present and does not equal this value. */
  $ne?: Operand<V>
  /**
   * Matches if the value equals one of these. Use `$containsAny` for lists: if there are strings but no lists among
   * these, and a record that the call is about has a list, the call fails with `INVALID_ARGUMENT`.
   */
  $in?: Operand<V>[]
  /** Matches if the attribute is present and equals none of these. Fails where `$in` does. */
  $nin?: Operand<V>[]
  /**
   * Matches if the value is greater than this one. Order exists only within one type. Integers and floats compare by
   * value, lists element by element, strings in UTF-8 order. Null has no order.
   */
  $gt?: Exclude<Operand<V>, null>
  /** Matches if the value is greater than this one or equal to it. The rules of `$gt` apply. */
  $gte?: Exclude<Operand<V>, null>
  /** Matches if the value is less than this one. The rules of `$gt` apply. */
  $lt?: Exclude<Operand<V>, null>
  /** Matches if the value is less than this one or equal to it. The rules of `$gt` apply. */
  $lte?: Exclude<Operand<V>, null>
  /**
   * Matches if the value is a string and the whole of it fits this pattern. Upper and lower case differ. `*` stands
   * for any run of characters (also `/`), `?` for one character, `[a-z]` for one character of a class, and `[!a-z]`
   * for one character outside of it.
   */
  $glob?: OfText<V>
  /** Matches as `$glob` does, but upper and lower case are the same. */
  $iglob?: OfText<V>
  /** Matches if the value is a string that begins with this one. Upper and lower case differ. */
  $startsWith?: OfText<V>
  /**
   * Matches if the value is a list that has this element, or a string that has this part. Upper and lower case differ.
   */
  $contains?: OfText<V> | Extract<V, string[]>[number]
  /** Matches if the value is a string that has this part. Upper and lower case are the same. */
  $icontains?: OfText<V>
  /** Matches if the value is a list that has any of these elements. */
  $containsAny?: OfList<V>
  /** Matches if the value is a list that has all of these elements. */
  $containsAll?: OfList<V>
  /** `true` matches if the attribute is present, even if it is null. `false` matches if it is absent. */
  $exists?: boolean
  /** Matches if this condition does not. An absent attribute therefore matches. */
  $not?: Condition<V>
}
/** A condition on one attribute: operators, or a plain value, which means `$eq`. */
export type Condition<V = AttrValue> = Operand<V> | Operators<V>

/** The keys that are named, without an index signature. */
type Named<A> = keyof { [K in keyof A as string extends K ? never : K & string]: A[K] }

/**
 * Selects records by their attributes. A record matches if all the conditions hold. A plain value means `$eq`.
 * `{}` matches every record.
 *
 * ```js
 * { path: { $glob: 'src/*' }, lang: 'rust', year: { $gte: 2020, $lt: 2025 }, $or: [{ tag: 'a' }, { tag: 'b' }] }
 * ```
 *
 * Keys that begin with `$` are operators: `$and`, `$or` and `$not` combine filters, at most 64 deep. If the store has
 * a type of attributes (`Nidus.open<MyAttrs>`), a filter takes only the keys and the operands of that type.
 */
export type Filter<A = Attrs> = [Named<A>] extends [never]
  ? { [key: string]: Condition | Filter<A> | Filter<A>[] | undefined }
  : { [K in Named<A> & keyof A]?: Condition<Exclude<A[K], undefined>> } & {
      $and?: Filter<A>[]
      $or?: Filter<A>[]
      $not?: Filter<A>
    } & (string extends keyof A ? { [key: string]: unknown } : unknown)
