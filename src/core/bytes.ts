/** Bytes by their value. */

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function hasBytes(list: readonly Uint8Array[], wanted: Uint8Array): boolean {
  return list.some((each) => equalBytes(each, wanted));
}
