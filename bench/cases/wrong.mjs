/** A wrong answer of this package. It ends the benchmark. */
export class Wrong extends Error {}
