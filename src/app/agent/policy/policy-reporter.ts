/**
 * What the server was told on one mesh stream of its proxies' policies, and so what is to be told now: everything first, with all
 * octets; then what has changed, by digest where the server has the octets. It knows no stream and no clock.
 *
 * This server may not know what the last one has sent: whoever is on his way from one policy to the next at the beginning is told to
 * be unsure until he has arrived. What is sent on this stream makes nobody unsure.
 */

import type {
  AppliedPolicy,
  ReportedNack,
  ReportedPolicy,
} from "../../../core/policy/policy-report.ts";
import { encodePolicyReports } from "../../../edge/rpc/policy-report-messages.ts";
import type { ConnectRequest } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { PolicyKnown } from "./agent-policies.ts";
import type { PolicyState } from "./fed-proxy.ts";

/** Of one proxy: what is forgotten is said whole. */
const digestsMax = 64;

export class PolicyReporter {
  #hasBegun = false;
  /** By `policyKey`: who may do what this stream does not know. */
  readonly #unsure = new Set<string>();
  /** By `policyKey`. */
  readonly #told = new Map<string, PolicyState>();
  /** Of this stream. */
  #assignmentsRead = 0;
  /** By `policyKey`: of how many of these it was told what came of them. */
  readonly #answered = new Map<string, number>();
  /** Who is away and was told to be, and whose proxy it is. */
  #away: ReadonlyMap<string, string | undefined> = new Map();
  /** By `policyKey`, digests: said or sent on this stream. The server has those octets. */
  readonly #digests = new Map<string, Set<string>>();

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** The first report. */
  begin(known: PolicyKnown): ConnectRequest[] {
    this.#hasBegun = true;
    const { here, away } = known;
    const proxies = [...this.#tellAll(here, known), ...away.values()];
    this.#away = spiffeIdsOf(away);
    return encodePolicyReports({ full: true, complete: true, proxies, gone: [...away.keys()] });
  }

  /** What has changed since. */
  update(known: PolicyKnown): ConnectRequest[] {
    const { here, answering, away } = known;
    const isSure = (key: string): boolean => this.#unsure.has(key) && !answering.has(key);
    const changed = [...here].filter(
      ([key, state]) => this.#told.get(key) !== state || isSure(key),
    );
    // What was sent to them is lost, and the server sends it to nobody who has not gone and come.
    const reborn = changed.filter(
      ([key, { life }]) => (this.#told.get(key)?.life ?? life) !== life,
    );
    const gone = [...this.#told.keys()].filter((key) => !here.has(key));
    const found = [...away].filter(([key]) => !this.#away.has(key) && !this.#told.has(key));
    const left = [...gone, ...reborn.map(([key]) => key)];
    for (const key of left) this.#forget(key);
    const leave = news([], left);
    const told = this.#tellAll(new Map(changed), known);
    const come = news(
      [...told, ...found.map(([, proxy]) => proxy)],
      found.map(([key]) => key),
    );
    this.#away = spiffeIdsOf(away);
    return [...leave, ...come];
  }

  /**
   * The server has sent it on this stream, and the proxies have taken it.
   * @param count of assignments, also to those who are not here
   * @param taken by `policyKey`, digests
   */
  read(count: number, taken: Iterable<readonly [string, string]>): void {
    this.#assignmentsRead += count;
    for (const [key, digest] of taken) this.#serverHas(key, digest);
  }

  /** The server has kept nothing of these: the next update tells them again. */
  forget(spiffeIds: ReadonlySet<string>): void {
    const isOf = (spiffeId: string | undefined): boolean =>
      spiffeId !== undefined && spiffeIds.has(spiffeId);
    for (const [key, { proxy }] of this.#told) {
      if (isOf(proxy.spiffeId)) this.#forget(key);
    }
    this.#away = new Map([...this.#away].filter(([, spiffeId]) => !isOf(spiffeId)));
  }

  #serverHas(key: string, digest: string): void {
    const digests = this.#digests.get(key) ?? new Set();
    this.#digests.set(key, digests.add(digest));
    const [oldest = digest] = digests;
    if (digests.size > digestsMax) digests.delete(oldest);
  }

  #forget(key: string): void {
    this.#told.delete(key);
    this.#answered.delete(key);
    this.#digests.delete(key);
    this.#unsure.delete(key);
  }

  #tellAll(
    states: ReadonlyMap<string, PolicyState>,
    { answering, unanswered }: PolicyKnown,
  ): ReportedPolicy[] {
    return Array.from(states, ([key, state]) => {
      if (!answering.has(key)) this.#unsure.delete(key);
      else if (!this.#told.has(key)) this.#unsure.add(key);
      this.#told.set(key, state);
      if (!unanswered.has(key)) this.#answered.set(key, this.#assignmentsRead);
      const assignmentsAnswered = this.#answered.get(key) ?? 0;
      const { proxy } = state;
      const isUnsure = proxy.isUnsure || this.#unsure.has(key);
      return this.#withoutKnown(key, { ...proxy, isUnsure, assignmentsAnswered });
    });
  }

  /** What was sent before what it has acknowledged, the server need not keep. */
  #withoutKnown(key: string, proxy: ReportedPolicy): ReportedPolicy {
    const { applied, nack } = proxy;
    const known = this.#digests.get(key) ?? new Set();
    const digests = [...known];
    const later = applied && digests.slice(digests.indexOf(applied.digest) + 1);
    this.#digests.set(key, new Set([...(applied ? [applied.digest] : []), ...(later ?? digests)]));
    if (nack?.octets !== undefined) this.#serverHas(key, nack.digest);
    return { ...proxy, applied: told(applied, known), nack: told(nack, known) };
  }
}

function told<T extends AppliedPolicy | ReportedNack>(
  said: T | undefined,
  known: ReadonlySet<string>,
): T | undefined {
  return said !== undefined && known.has(said.digest) ? { ...said, octets: undefined } : said;
}

function news(proxies: readonly ReportedPolicy[], gone: readonly string[]): ConnectRequest[] {
  if (proxies.length === 0 && gone.length === 0) return [];
  return encodePolicyReports({ full: false, complete: false, proxies, gone });
}

function spiffeIdsOf(
  proxies: ReadonlyMap<string, ReportedPolicy>,
): ReadonlyMap<string, string | undefined> {
  return new Map([...proxies].map(([key, { spiffeId }]) => [key, spiffeId]));
}
