/** Returns the numbers that bytes hold, as a new array of the given type. */
export const typed = (Type, bytes) =>
  new Type(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
