/** How much the roll takes, of whom: one identity, compromised, must not fill it for all others. */

import { PortcullisError } from "../error.ts";
import { proxyKey, type EvidenceReport, type Reporter } from "./evidence.ts";
import { ownerOf, type RollEntry } from "./roll-entry.ts";

export type RollErrorCode = "roll-full" | "roll-report-too-large";

export class RollError extends PortcullisError<RollErrorCode> {
  override name = "RollError";
}

export interface RollLimits {
  /** And as many agents. */
  readonly proxiesMax: number;
  /** And as many agents, which it could make up. */
  readonly proxiesPerIdentityMax: number;
  /** Of one identity at one reporter: a node agent speaks for many. */
  readonly proxiesPerReporterMax: number;
  readonly subscriptionsPerProxyMax: number;
}

/** How many there are, and of each identity. */
export class RollCount {
  readonly #what: string;
  readonly #limits: RollLimits;
  readonly #byIdentity = new Map<string, number>();
  #all = 0;

  constructor(what: string, limits: RollLimits) {
    this.#what = what;
    this.#limits = limits;
  }

  change(spiffeId: string, change: 1 | -1): void {
    const size = (this.#byIdentity.get(spiffeId) ?? 0) + change;
    if (size === 0) this.#byIdentity.delete(spiffeId);
    else this.#byIdentity.set(spiffeId, size);
    this.#all += change;
  }

  /** @throws RollError `roll-full` */
  assertRoom(spiffeId: string, added: number): void {
    const max = this.#limits.proxiesPerIdentityMax;
    if ((this.#byIdentity.get(spiffeId) ?? 0) + added <= max) return;
    throw new RollError("roll-full", `expected at most ${max} ${this.#what} of ${spiffeId}`);
  }

  /** @throws RollError `roll-full` */
  assertRoomForAll(added: number): void {
    const max = this.#limits.proxiesMax;
    if (this.#all + added <= max) return;
    throw new RollError("roll-full", `expected at most ${max} ${this.#what} in the mesh`);
  }
}

/**
 * @param count of all proxies
 * @param known of the reporter
 * @throws RollError
 */
export function assertFits(
  limits: RollLimits,
  count: RollCount,
  reporter: Reporter,
  { proxies }: EvidenceReport,
  known: ReadonlyMap<string, RollEntry>,
): void {
  const widest = Math.max(0, ...proxies.map(({ subscriptions }) => subscriptions.length));
  expectAtMost(limits.subscriptionsPerProxyMax, widest, "subscriptions of a proxy");
  const added = new Map(proxies.map((proxy) => [proxyKey(proxy), proxy]));
  for (const key of known.keys()) added.delete(key);
  const byOwner = Map.groupBy(added.values(), (evidence) => ownerOf({ reporter, evidence }));
  for (const [spiffeId, { length }] of byOwner) {
    const here = Array.from(known.values()).filter((each) => ownerOf(each) === spiffeId).length;
    expectAtMost(limits.proxiesPerReporterMax, here + length, `proxies of ${spiffeId} at an agent`);
    count.assertRoom(spiffeId, length);
  }
  count.assertRoomForAll(added.size);
}

function expectAtMost(max: number, size: number, what: string): void {
  if (size <= max) return;
  throw new RollError("roll-report-too-large", `expected at most ${max} ${what}, got ${size}`);
}
