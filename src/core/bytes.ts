/** Bytes by their value. */

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function hasBytes(list: readonly Uint8Array[], wanted: Uint8Array): boolean {
  return list.some((each) => equalBytes(each, wanted));
}

/** In the same order. */
export function equalLists(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((each, index) => equalBytes(each, b[index] ?? none));
}

/** In whatever order; each once in its list. */
export function equalSets(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((each) => hasBytes(b, each));
}

/** Lower case. */
export function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("hex");
}

const none = new Uint8Array();
