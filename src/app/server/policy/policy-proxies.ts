/**
 * The proxies that agents tell of, and what each has acknowledged. What is said of a proxy counts for the identity of the stream, or
 * for one whose token was shown there; whoever is away goes on with what it had.
 */

import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import {
  policyKey,
  type PolicyReport,
  type ReportedPolicy,
} from "../../../core/policy/policy-report.ts";
import type { ProxyReport } from "../../../core/policy/rollout-proxy.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { KnownListeners, ProvenProxy } from "../../../core/roll/handshake-proof.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { claimsAfter, claimsSharing, claimsWithoutProxy, noClaims } from "./policy-claims.ts";
import {
  knownListeners,
  octetsIn,
  proxyAfter,
  proxyKeyOf,
  reportOf,
  type PolicyProxy,
} from "./policy-proxy.ts";
import { PolicyStreams, type PolicyStream } from "./policy-streams.ts";
import { ProxyTable } from "./proxy-table.ts";
import type { MissedIdentities } from "./silent-owners.ts";
import type { UncountedProxy } from "./uncounted-proxies.ts";

export interface PolicyProxiesDependencies {
  readonly told: (proxy: PolicyProxy, report: ProxyReport, isRenamed: boolean) => void;
  readonly left: (proxy: PolicyProxy) => void;
  readonly refused: (proxy: PolicyProxy) => void;
  /** There is no room for a proxy of this identity, or for its policies; once on a stream. */
  readonly dropped: (reporter: Reporter, spiffeId: string) => void;
  /** By key: what it is to do, by the configuration. */
  readonly desired: (key: string) => ProxyPolicy | undefined;
  readonly nowMs: () => number;
}

export class PolicyProxies {
  readonly #dependencies: PolicyProxiesDependencies;
  readonly #proxies = new ProxyTable();
  readonly #streams = new PolicyStreams();

  constructor(dependencies: PolicyProxiesDependencies) {
    this.#dependencies = dependencies;
  }

  all(): IterableIterator<PolicyProxy> {
    return this.#proxies.all();
  }

  get(key: string): PolicyProxy | undefined {
    return this.#proxies.get(key);
  }

  /** Of whom no stream tells now. */
  away(): Iterable<PolicyProxy> {
    return this.#proxies.away();
  }

  ofAgent(reporter: Reporter): Iterable<PolicyProxy> {
    return this.#proxies.ofAgent(reporter);
  }

  /** Of whom it has told something that does not count; undefined until it has told of all. */
  missed(session: Session): MissedIdentities | undefined {
    const stream = this.#streams.get(session);
    return stream?.isComplete === true ? stream.uncounted.missed : undefined;
  }

  /** What is known of a proxy's listeners by what its agent has told on this stream. */
  listenersOf(session: Session, { reporter, spiffeId, proxyId }: ProvenProxy): KnownListeners {
    if (session.wantsPolicy !== true) return { kind: "none" };
    const proxy = this.#proxies.get(proxyKeyOf(reporter, spiffeId, proxyId));
    if (proxy?.session !== session) {
      const { isComplete = false, uncounted } = this.#streams.get(session) ?? {};
      return { kind: isComplete && uncounted?.isWhole(spiffeId) ? "none" : "unknown" };
    }
    return knownListeners(proxy);
  }

  /** Whether it has told of a proxy whose listeners are ours. */
  hasListeners(session: Session): boolean {
    const told = this.#streams.get(session)?.told ?? [];
    return [...told].some((key) => this.#proxies.get(key)?.said.hasListeners === true);
  }

  /** It is sent this now, after all else that is sent on the stream that tells of it. */
  sends(proxy: PolicyProxy, policy: ProxyPolicy): void {
    const stream = proxy.session && this.#streams.get(proxy.session);
    if (stream === undefined) return;
    stream.assignments += 1;
    proxy.sent = { policy, at: stream.assignments };
  }

  /** @throws MeshMessageError for a policy that is none, a second first report, and an answer to what was not sent */
  take(session: Session, reporter: Reporter, report: PolicyReport): void {
    const stream = this.#streams.open(session, reporter, report);
    for (const said of report.proxies) this.#takeOne(stream, said);
    for (const name of report.gone) {
      stream.uncounted.delete(name);
      const proxy = this.#proxies.get(stream.names.get(name) ?? "");
      stream.names.delete(name);
      if (proxy?.session === session) this.#leave(proxy, true);
    }
    if (report.complete) this.#complete(stream);
  }

  /** Tokens came: of whom nothing counted before, it may count now. @throws MeshMessageError */
  proven(session: Session): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    for (const [, { owner, said }] of stream.uncounted.unproven()) {
      if (this.#counts(session, owner)) this.#takeOne(stream, said);
    }
  }

  closed(session: Session): void {
    for (const key of this.#streams.close(session)?.told ?? []) {
      const proxy = this.#proxies.get(key);
      if (proxy?.session === session) this.#leave(proxy, false);
    }
  }

  /** It does not come back. */
  forget(key: string): void {
    const proxy = this.#proxies.get(key);
    if (proxy === undefined) return;
    this.#proxies.delete(proxy);
    this.#streams.ofAgent(proxy.reporter)?.told.delete(key);
  }

  #counts({ spokenFor, peer }: Session, owner: string): boolean {
    return (
      owner === peer.id.toString() || spokenFor?.has(owner, this.#dependencies.nowMs()) === true
    );
  }

  #takeOne(stream: PolicyStream, said: ReportedPolicy): void {
    const { session, reporter, uncounted } = stream;
    const owner = said.spiffeId ?? session.peer.id.toString();
    const key = proxyKeyOf(reporter, owner, said.proxyId);
    if (!this.#counts(session, owner)) {
      // A workload's agent speaks for nobody else, whatever comes.
      if (session.spokenFor !== undefined) this.#setAside(stream, key, { owner, said });
      return;
    }
    uncounted.delete(policyKey(said));
    if (this.#proxies.hasRoom(key, reporter, owner)) this.#take(stream, key, owner, said);
    else if (uncounted.drop(owner)) this.#dependencies.dropped(reporter, owner);
  }

  /** It is there, whatever else there is to say of it. */
  #setAside({ reporter, uncounted }: PolicyStream, key: string, proxy: UncountedProxy): void {
    const known = this.#proxies.get(key);
    if (known?.session === undefined && known?.goneSinceMs !== undefined) {
      known.goneSinceMs = undefined;
    }
    if (uncounted.keep(policyKey(proxy.said), proxy) || !uncounted.drop(proxy.owner)) return;
    this.#dependencies.dropped(reporter, proxy.owner);
  }

  #take(stream: PolicyStream, key: string, spiffeId: string, said: ReportedPolicy): void {
    const { session, reporter, told, names } = stream;
    const known = this.#proxies.get(key);
    const isNew = !told.has(key);
    told.add(key);
    names.set(policyKey(said), key);
    const desired = this.#dependencies.desired(key);
    const octetsMax = this.#roomFor(stream, key, spiffeId, said);
    const claims = claimsAfter(known ?? noClaims, said, { desired, isNew, octetsMax });
    const proxy = proxyAfter(known, { key, spiffeId, reporter, session, said, claims });
    this.#proxies.set(proxy);
    const isRenamed = proxy.identity !== known?.identity;
    this.#dependencies.told(proxy, reportOf(proxy), isRenamed);
    const isNewRefusal =
      proxy.saidRefusals.length > 0 && proxy.saidRefusals !== known?.saidRefusals;
    if (isNewRefusal) this.#dependencies.refused(proxy);
  }

  /** What does not fit is not known, and waited for: until its agent tells it on another stream, or it has acknowledged what it is sent. */
  #roomFor(stream: PolicyStream, key: string, spiffeId: string, said: ReportedPolicy): number {
    const { reporter } = stream;
    const octets = octetsIn(said);
    const left = this.#proxies.octetsLeft(key, reporter, spiffeId);
    if (octets <= left) return left;
    for (const proxy of this.ofAgent(reporter)) {
      Object.assign(proxy, claimsSharing(proxy, this.#dependencies.desired(proxy.identity.key)));
      this.#proxies.count(proxy);
    }
    const now = this.#proxies.octetsLeft(key, reporter, spiffeId);
    if (octets > now && !stream.isOver) this.#dependencies.dropped(reporter, spiffeId);
    stream.isOver ||= octets > now;
    return now;
  }

  #complete(stream: PolicyStream): void {
    stream.isComplete = true;
    const { session, reporter, told, uncounted } = stream;
    for (const proxy of this.ofAgent(reporter)) {
      if (told.has(proxy.identity.key)) continue;
      if (proxy.session !== undefined && proxy.session !== session) continue;
      if (uncounted.mayBe(policyKey(proxy.said), proxy.spiffeId)) continue;
      this.#leave(proxy, true);
    }
  }

  #leave(proxy: PolicyProxy, isGone: boolean): void {
    const { sent, strays, hasForgotten } = claimsWithoutProxy(proxy);
    Object.assign(proxy, { session: undefined, sent, strays, hasForgotten });
    this.#proxies.left(proxy);
    proxy.goneSinceMs = isGone ? (proxy.goneSinceMs ?? this.#dependencies.nowMs()) : undefined;
    this.#dependencies.left(proxy);
  }
}
