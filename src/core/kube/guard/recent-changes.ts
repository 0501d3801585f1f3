/**
 * Changes that were let in a moment ago: the watch may not have told of them yet, and none of them may have been stored. Two that are
 * harmless each may not be so together, as where one takes a PERMISSIVE away and another makes its namespace STRICT. Anybody may have
 * asked for one, so that none takes the place of another of its name, and one that is not kept any more is not taken for none.
 */

import { sameValue } from "../../policy/same-value.ts";
import type { PeerAuthentication } from "../../resources/peer-authentication.ts";
import { nameKey, type ResourceName } from "../../resources/resource.ts";
import type { PeerChange } from "./stricter-ports.ts";

interface RecentChange {
  readonly name: ResourceName;
  readonly after: PeerAuthentication | undefined;
  readonly untilMs: number;
}

export interface PendingPeers {
  /** As they may be: as they are first, then with all of the last of each name, then with each other one. */
  readonly variants: readonly (readonly PeerAuthentication[])[];
  /** There may be more than these. */
  readonly isCut: boolean;
}

/** A watch that is behind by more than this is said to be behind. */
const keptMs = 10_000;
const changesMax = 1_024;
/** Of those that one question is about: each is gone through. */
const pendingMax = 16;

export class RecentChanges {
  /** The oldest first; of one name each other one once. */
  #changes: readonly RecentChange[] = [];
  /** Until then one that is not kept may count. */
  #lostUntilMs = Number.NEGATIVE_INFINITY;

  /** @param nowMs monotonic */
  add({ name, after }: PeerChange, nowMs: number): void {
    const key = nameKey(name);
    const others = this.#changes.filter(
      (each) =>
        each.untilMs > nowMs && !(nameKey(each.name) === key && sameValue(each.after, after)),
    );
    const all = [...others, { name, after, untilMs: nowMs + keptMs }];
    const lost = all.slice(0, -changesMax).at(-1);
    if (lost !== undefined) this.#lostUntilMs = lost.untilMs;
    this.#changes = all.slice(-changesMax);
  }

  /** What is in force under a name now was something else before: the change to it has arrived. */
  told(name: ResourceName, is: PeerAuthentication | undefined): void {
    const key = nameKey(name);
    this.#changes = this.#changes.filter(
      (each) => nameKey(each.name) !== key || !sameValue(ageless(each.after), ageless(is)),
    );
  }

  /** @param isConcerned by the name of what has changed */
  over(
    peers: readonly PeerAuthentication[],
    isConcerned: (name: ResourceName) => boolean,
    nowMs: number,
  ): PendingPeers {
    const is = new Map(peers.map((each) => [nameKey(each.ref), each]));
    const pending = this.#changes.filter(
      ({ name, after, untilMs }) =>
        untilMs > nowMs && isConcerned(name) && !sameValue(is.get(nameKey(name)), after),
    );
    const last = new Map(pending.map((each) => [nameKey(each.name), each]));
    const wanted = pending.slice(-pendingMax);
    const others = wanted.flatMap((each) => {
      const isLast = last.get(nameKey(each.name)) === each;
      // With all of the last, one of which it may be the same as.
      if (last.size === 1) return isLast ? [] : [[each]];
      return isLast ? [[each]] : [[each], [...last.values(), each]];
    });
    const soon = last.size === 0 ? [] : [[...last.values()], ...others];
    return {
      variants: [peers, ...soon.map((changes) => withChanges(is, changes))],
      isCut: pending.length > wanted.length || this.#lostUntilMs > nowMs,
    };
  }
}

/** When it was created is not known to all who ask. */
function ageless(peer: PeerAuthentication | undefined): PeerAuthentication | undefined {
  return peer && { ...peer, createdMs: undefined };
}

function withChanges(
  is: ReadonlyMap<string, PeerAuthentication>,
  changes: readonly RecentChange[],
): readonly PeerAuthentication[] {
  const soon = new Map(is);
  for (const { name, after } of changes) {
    if (after === undefined) soon.delete(nameKey(name));
    else soon.set(nameKey(name), after);
  }
  return [...soon.values()];
}
