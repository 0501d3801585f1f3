/**
 * The deny list: identities and certificates that get no certificate and no stream any more, whatever they prove. It
 * is a value; a change gives another one with a higher sequence, also where something was removed, so that two lists
 * of one server with one sequence are equal. The trust state holds its digest.
 */

import { hash } from "node:crypto";
import { assertDenial, isInForce, type Denial, type NewDenial } from "./denial.ts";
import { DeniedError, DenyListError } from "./deny-error.ts";
import { targetKey } from "./deny-target.ts";

export const denialsMax = 10_000;

export class DenyList {
  static readonly empty: DenyList = new DenyList(0, []);

  /** Rises with each change. */
  readonly sequence: number;
  /** In the order of their sequences. */
  readonly denials: readonly Denial[];
  readonly #byTarget: ReadonlyMap<string, readonly Denial[]>;

  private constructor(sequence: number, denials: readonly Denial[]) {
    this.sequence = sequence;
    this.denials = Object.freeze(denials);
    this.#byTarget = Map.groupBy(denials, ({ target }) => targetKey(target));
    Object.freeze(this);
  }

  /** The list as it was stored. @throws DenyListError `deny-list-malformed` */
  static of(sequence: number, denials: readonly Denial[]): DenyList {
    const ordered = denials.every((each, index) => {
      const before = denials[index - 1]?.sequence ?? 0;
      return Number.isSafeInteger(each.sequence) && each.sequence > before;
    });
    const isLast = Number.isSafeInteger(sequence) && sequence >= (denials.at(-1)?.sequence ?? 0);
    if (!ordered || !isLast || denials.length > denialsMax) {
      throw malformed(`expected at most ${denialsMax} denials in order, up to ${sequence}`);
    }
    try {
      for (const denial of denials) assertDenial(denial);
    } catch (cause) {
      if (!(cause instanceof DenyListError)) throw cause;
      throw malformed(`the stored deny list is unreadable: ${cause.message}`, cause);
    }
    return new DenyList(sequence, denials.map(frozen));
  }

  /**
   * A target may have several denials: what one operator forbids for good, another one does not shorten.
   * @returns the list, with the new denial as its last one
   * @throws DenyListError `denial-invalid`, `deny-list-full`
   */
  add(denial: NewDenial): DenyList {
    assertDenial(denial);
    if (this.denials.length >= denialsMax) {
      const message = `expected at most ${denialsMax} denials, got one more`;
      const hint = "prune what has expired, or remove what is not needed any more";
      throw new DenyListError("deny-list-full", message, { hint });
    }
    const sequence = this.sequence + 1;
    return new DenyList(sequence, [...this.denials, frozen({ ...denial, sequence })]);
  }

  /** @throws DenyListError `denial-unknown` */
  remove(sequence: number): DenyList {
    const rest = this.denials.filter((denial) => denial.sequence !== sequence);
    if (rest.length < this.denials.length) return new DenyList(this.sequence + 1, rest);
    throw new DenyListError("denial-unknown", `expected a denial, got no number ${sequence}`, {
      hint: "it may have been removed before: list what is denied",
    });
  }

  /** Without those that have no effect any more; the same list where there are none. */
  prune(nowMs: number): DenyList {
    const rest = this.denials.filter((denial) => isInForce(denial, nowMs));
    if (rest.length === this.denials.length) return this;
    return new DenyList(this.sequence + 1, rest);
  }

  /**
   * What keeps this caller out, or undefined. Of several, the one that lasts longest; the identity's before the
   * certificate's.
   * @param serialHex of the certificate that it came with, as `Certificate.serialHex`
   */
  find(identity: string, serialHex: string | undefined, nowMs: number): Denial | undefined {
    return this.#longest(identity, nowMs) ?? this.#longest(serialHex ?? "", nowMs);
  }

  /** SHA-256 of all that the list says: one digest for each list, on every server. */
  digest(): Uint8Array {
    const rows = this.denials.map(
      ({ sequence, target, reason, operator, createdAtMs, untilMs }) => [
        sequence,
        target.kind,
        targetKey(target),
        reason,
        operator,
        createdAtMs,
        untilMs ?? null,
      ],
    );
    return hash("sha256", JSON.stringify(["deny-list", 1, this.sequence, rows]), "buffer");
  }

  #longest(key: string, nowMs: number): Denial | undefined {
    let longest: Denial | undefined;
    for (const denial of this.#byTarget.get(key) ?? []) {
      if (!isInForce(denial, nowMs)) continue;
      if (longest === undefined || endOf(denial) > endOf(longest)) longest = denial;
    }
    return longest;
  }
}

/** @throws DeniedError that the caller may read */
export function assertNotDenied(
  list: DenyList,
  identity: string,
  serialHex: string | undefined,
  nowMs: number,
): void {
  const denial = list.find(identity, serialHex, nowMs);
  if (denial === undefined) return;
  const { target, reason, untilMs, sequence } = denial;
  const end = untilMs === undefined ? "" : ` until ${new Date(untilMs).toISOString()}`;
  const who = target.kind === "identity" ? target.id : `certificate ${target.serialHex}`;
  const code = target.kind === "identity" ? "identity-denied" : "certificate-denied";
  throw new DeniedError(code, `${who} is denied${end}: ${reason}`, {
    hint: `an operator has denied it (number ${sequence} of the deny list), and can remove that`,
  });
}

function endOf({ untilMs = Infinity }: Denial): number {
  return untilMs;
}

function frozen(denial: Denial): Denial {
  return Object.freeze({ ...denial, target: Object.freeze({ ...denial.target }) });
}

function malformed(message: string, cause?: unknown): DenyListError {
  return new DenyListError("deny-list-malformed", message, {
    cause,
    hint: "restore the data directory from a backup: without its deny list the server does not start",
  });
}
