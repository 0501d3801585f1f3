/**
 * Every serial of a log with its intent, for audits of millions: a hash table on typed arrays, 36 bytes for each, where a
 * Map of strings would take 150. Serials are compared whole.
 */

const CHUNK_RECORDS = 16_384;
const SERIAL_BYTES_MAX = 20;
/** Length, serial, index of the intent, whether its result has come. */
const INDEX_AT = 1 + SERIAL_BYTES_MAX;
const INDEX_BYTES = 6;
const CLOSED_AT = INDEX_AT + INDEX_BYTES;
const RECORD_BYTES = CLOSED_AT + 1;
const FIRST_SLOTS = 1024;

export class SerialTable {
  /** Chunks, so that growth copies no record. */
  readonly #chunks: Buffer[] = [];
  /** Number of a record plus 1, or 0; a power of two of them, at most half full. */
  #slots = new Uint32Array(FIRST_SLOTS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The record of a serial, or -1. */
  find(serial: Uint8Array): number {
    return (this.#slots[this.#slotOf(serial)] ?? 0) - 1;
  }

  /** @returns false, and changes nothing, if the serial is there */
  add(serial: Uint8Array, intentIndex: number): boolean {
    const slot = this.#slotOf(serial);
    if (this.#slots[slot] !== 0) return false;
    const record = this.#size++;
    if (record % CHUNK_RECORDS === 0) this.#chunks.push(Buffer.alloc(CHUNK_RECORDS * RECORD_BYTES));
    const [chunk, at] = this.#locate(record);
    chunk[at] = serial.length;
    chunk.set(serial, at + 1);
    chunk.writeUIntBE(intentIndex, at + INDEX_AT, INDEX_BYTES);
    this.#slots[slot] = this.#size;
    if (this.#size * 2 > this.#slots.length) this.#grow();
    return true;
  }

  intentIndex(record: number): number {
    const [chunk, at] = this.#locate(record);
    return chunk.readUIntBE(at + INDEX_AT, INDEX_BYTES);
  }

  /** @returns false if it was closed before */
  close(record: number): boolean {
    const [chunk, at] = this.#locate(record);
    if (chunk[at + CLOSED_AT] !== 0) return false;
    chunk[at + CLOSED_AT] = 1;
    return true;
  }

  /** Of the intents that were not closed, in the order of their arrival. */
  openIndices(): readonly number[] {
    const open: number[] = [];
    for (let record = 0; record < this.#size; record++) {
      const [chunk, at] = this.#locate(record);
      if (chunk[at + CLOSED_AT] === 0) open.push(this.intentIndex(record));
    }
    return open;
  }

  /** Where the serial is, or where it would go. */
  #slotOf(serial: Uint8Array): number {
    const mask = this.#slots.length - 1;
    let slot = mix(serial) & mask;
    for (;;) {
      const number = this.#slots[slot] ?? 0;
      if (number === 0 || this.#holds(number - 1, serial)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #holds(record: number, serial: Uint8Array): boolean {
    const [chunk, at] = this.#locate(record);
    if (chunk[at] !== serial.length) return false;
    for (let index = 0; index < serial.length; index++) {
      if (chunk[at + 1 + index] !== serial[index]) return false;
    }
    return true;
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let record = 0; record < this.#size; record++) {
      const [chunk, at] = this.#locate(record);
      const start = at + 1;
      this.#slots[this.#slotOf(chunk.subarray(start, start + (chunk[at] ?? 0)))] = record + 1;
    }
  }

  #locate(record: number): readonly [chunk: Buffer, at: number] {
    const chunk = this.#chunks[Math.floor(record / CHUNK_RECORDS)];
    if (chunk === undefined) throw new RangeError(`no record ${record}`);
    return [chunk, (record % CHUNK_RECORDS) * RECORD_BYTES];
  }
}

/** FNV-1a. Serials are the CA's own random numbers: nobody can choose ones that collide. */
function mix(serial: Uint8Array): number {
  let mixed = 0x811c9dc5;
  for (const octet of serial) mixed = Math.imul(mixed ^ octet, 0x01000193);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}
