/**
 * What one proxy was given since it has last acknowledged all of something: of each, parts may be in force until all of a later one is
 * acknowledged, whatever its answer was.
 */

import type { ReceivedPolicy } from "./kept-policy.ts";

interface Given {
  readonly policy: ReceivedPolicy;
  /** It was refused, or passed over: nobody is given it, and no answer to it counts. */
  readonly isOver: boolean;
}

/** The server waits for answers; whoever is told more than this has none to give. */
const givenMax = 8;

export class GivenPolicies {
  /** Oldest first. */
  #all: readonly Given[] = [];
  #hasForgotten = false;

  /** The one to be given now, if no earlier one is to stay. */
  get newest(): ReceivedPolicy | undefined {
    return this.#all.findLast(({ isOver }) => !isOver)?.policy;
  }

  /** Whether parts may be in force of any that is not given any more. */
  get hasOver(): boolean {
    return this.#all.some(({ isOver }) => isOver);
  }

  find(digest: string): ReceivedPolicy | undefined {
    return this.#all.find(({ policy }) => policy.digest === digest)?.policy;
  }

  /** Whether there may be parts in force of any that `isKnown` is false of. */
  hasOthers(isKnown: (digest: string) => boolean): boolean {
    return this.#hasForgotten || this.#all.some(({ policy }) => !isKnown(policy.digest));
  }

  /** Whether any is neither answered nor passed over that `isSettled` is false of. */
  hasOpen(isSettled: (digest: string) => boolean): boolean {
    return this.#all.some(({ policy, isOver }) => !isOver && !isSettled(policy.digest));
  }

  add(policy: ReceivedPolicy): void {
    const others = this.#all.filter((each) => each.policy.digest !== policy.digest);
    const all = [...others, { policy, isOver: false }];
    if (all.length > givenMax) this.#hasForgotten = true;
    this.#all = all.slice(-givenMax);
  }

  /** One of them, or all. */
  passOver(digest?: string): void {
    this.#all = this.#all.map((each) =>
      digest === undefined || each.policy.digest === digest ? { ...each, isOver: true } : each,
    );
  }

  /**
   * @param acked by each of those who answer, the digest of what it has acknowledged last
   * @returns the newest one that all of them have: nothing from before it is in force any more
   */
  settle(acked: readonly (string | undefined)[]): ReceivedPolicy | undefined {
    const digests = this.#all.map(({ policy, isOver }) => (isOver ? undefined : policy.digest));
    const places = acked.map((digest) => (digest === undefined ? -1 : digests.indexOf(digest)));
    const at = Math.min(...places);
    const settled = this.#all[at]?.policy;
    if (settled === undefined) return undefined;
    this.#all = this.#all.slice(at + 1);
    this.#hasForgotten = false;
    return settled;
  }
}
