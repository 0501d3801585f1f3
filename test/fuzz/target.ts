/** What can be fuzzed: how its input is shaped, and what must be true of every input (its oracle). */

import assert from "node:assert/strict";
import { PortcullisError } from "../../src/core/error.ts";

export interface FuzzTarget {
  readonly name: string;
  /** "der" is damaged as a tree, too, and "text" by its words and numbers. */
  readonly shape: "der" | "text" | "bytes";
  /** Words that random damage would not find. */
  readonly dictionary: readonly string[];
  /** Of the thread's time, for one input. @default 200 */
  readonly msMax?: number;
  /** Good inputs by name, for the corpus; the same at each call but for ECDSA signatures. */
  readonly seeds: () => Readonly<Record<string, Uint8Array | string>>;
  /**
   * @returns whether the input was taken
   * @throws whatever is a fault: an error that is not typed, or a property that does not hold
   */
  readonly check: (input: Uint8Array) => boolean;
}

export const INPUT_MS_MAX = 200;

/** An error may quote what it is about, and that is bounded: a whole signed note at most. */
const MESSAGE_CHARACTERS_MAX = 16_384;

/** The value, or undefined for a typed error. Other errors pass. */
export function valueOrTyped<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PortcullisError)) throw error;
    assert.ok(error.message.length <= MESSAGE_CHARACTERS_MAX, `${error.code}: a message too long`);
    return undefined;
  }
}

/** As `valueOrTyped`; what @bufbuild/protobuf itself throws at bytes that are none is gRPC's to refuse. */
export function valueOrNoProtobuf<T>(read: () => T): T | undefined {
  try {
    return valueOrTyped(read);
  } catch (error) {
    // Of the frames, the first of a file: an error of ours that only passes through is not theirs.
    const at = error instanceof Error && /\((?:file:|\/)[^)]+\)|at file:.+/.exec(error.stack ?? "");
    if (!at || !at[0].includes("@bufbuild/protobuf")) throw error;
    return undefined;
  }
}

/** As strangers' texts come: octets that are no UTF-8 are replaced. */
export function textOf(input: Uint8Array): string {
  return Buffer.from(input).toString("utf8");
}
