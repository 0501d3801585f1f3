/**
 * Whom to trust goes before what to show. An Envoy has a stream for each secret; one that took a certificate of a new root
 * before the bundle that came with it would be live, and refuse its peers. So the certificate waits until that Envoy has answered
 * for its trust bundles, two seconds at most: what it has may be about to expire.
 */

import type { SecretEvidence } from "../../core/envoy/secret.ts";
import type { Snapshot } from "../../core/xds/resource.ts";
import type { Subscriber } from "../../core/xds/subscriber.ts";

export const holdMsMax = 2_000;

/** Of one Envoy: none is asked for, one is on its way, or each has been taken or refused. */
export type BundleState = "none" | "waiting" | "settled";

/** @param subscribers of one Envoy */
export function bundleState(
  subscribers: Iterable<Subscriber<SecretEvidence>>,
  { resources }: Snapshot<SecretEvidence>,
): BundleState {
  let state: BundleState = "none";
  for (const subscriber of subscribers) {
    for (const [name, { acked, nack }] of subscriber.subscriptions) {
      const resource = resources.get(name);
      if (resource?.evidence.rootsDigest === undefined) continue;
      const { version } = resource;
      const isAnswered = acked?.version === version || nack?.version === version;
      if (!isAnswered || isOnItsWay(subscriber, name)) return "waiting";
      state = "settled";
    }
  }
  return state;
}

/** Perhaps an older one, after which the present one comes again. */
function isOnItsWay({ unanswered }: Subscriber<SecretEvidence>, name: string): boolean {
  return unanswered.some(
    ({ restores, resources }) => !restores && resources.some((each) => each.name === name),
  );
}

/** The names of what is left out stay pending. */
export function bundlesOf(snapshot: Snapshot<SecretEvidence>): Snapshot<SecretEvidence> {
  return { ...snapshot, resources: new Map(bundlesIn(snapshot)) };
}

export function hasOtherBundles(
  one: Snapshot<SecretEvidence>,
  other: Snapshot<SecretEvidence>,
): boolean {
  return bundlesIn(one).some(
    ([name, { version }]) => other.resources.get(name)?.version !== version,
  );
}

/** Whether the Envoy may go by what it was given: a first certificate need not wait. */
export function wasServed({ subscriptions }: Subscriber<SecretEvidence>): boolean {
  return [...subscriptions.values()].some(
    ({ sent, acked }) => sent?.version !== undefined || acked !== undefined,
  );
}

function bundlesIn({ resources }: Snapshot<SecretEvidence>) {
  return [...resources].filter(([, { evidence }]) => evidence.rootsDigest !== undefined);
}

interface Hold {
  /** Until a trust bundle is asked for, too: that stream may only be down. */
  needsBundle: boolean;
  /** What was refused is to be sent once more. */
  retries: boolean;
  readonly timer: NodeJS.Timeout;
}

/** By Envoy's node.id. */
export class LeafHolds {
  readonly #holds = new Map<string, Hold>();
  readonly #onDue: (nodeId: string) => void;

  /** @param onDue it has waited long enough */
  constructor(onDue: (nodeId: string) => void) {
    this.#onDue = onDue;
  }

  has(nodeId: string): boolean {
    return this.#holds.has(nodeId);
  }

  /** One that has begun is not made longer. */
  begin(nodeId: string, needsBundle: boolean): void {
    // Without a name it cannot be told from others.
    if (nodeId === "" || this.#holds.has(nodeId)) return;
    const timer = setTimeout(() => this.#onDue(nodeId), holdMsMax).unref();
    this.#holds.set(nodeId, { needsBundle, retries: false, timer });
  }

  /** A stream of this Envoy has closed. */
  closed(nodeId: string): void {
    const hold = this.#holds.get(nodeId);
    if (hold !== undefined) hold.needsBundle = true;
  }

  /** @returns false where nothing is held back */
  retryLater(nodeId: string): boolean {
    const hold = this.#holds.get(nodeId);
    if (hold !== undefined) hold.retries = true;
    return hold !== undefined;
  }

  isOver(nodeId: string, state: BundleState): boolean {
    const hold = this.#holds.get(nodeId);
    return state === "settled" || (state === "none" && hold?.needsBundle === false);
  }

  /** @returns whether what was refused is to be sent once more */
  end(nodeId: string): boolean {
    const hold = this.#holds.get(nodeId);
    clearTimeout(hold?.timer);
    this.#holds.delete(nodeId);
    return hold?.retries === true;
  }
}
