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
import { sameValue } from "../../../core/policy/same-value.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { KnownListeners, ProvenProxy } from "../../../core/roll/handshake-proof.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { MeshMessageError } from "../../../edge/rpc/mesh-fields.ts";
import { claimsAfter, claimsWithoutProxy, noClaims } from "./policy-claims.ts";
import { identityOf, proxyKeyOf, withoutOctets, type PolicyProxy } from "./policy-proxy.ts";
import { ProxyTable } from "./proxy-table.ts";
import type { MissedIdentities } from "./silent-owners.ts";
import { UncountedProxies, type UncountedProxy } from "./uncounted-proxies.ts";

export interface PolicyProxiesDependencies {
  readonly told: (proxy: PolicyProxy, report: ProxyReport, isRenamed: boolean) => void;
  readonly left: (proxy: PolicyProxy) => void;
  readonly refused: (proxy: PolicyProxy) => void;
  /** There is no room for a proxy of this identity; once on a stream. */
  readonly dropped: (reporter: Reporter, spiffeId: string) => void;
  /** By key: what it is to do, by the configuration. */
  readonly desired: (key: string) => ProxyPolicy | undefined;
  readonly nowMs: () => number;
}

interface Stream {
  readonly reporter: Reporter;
  /** Told on this stream, by key. */
  readonly told: Set<string>;
  /** Their keys, by `policyKey`. */
  readonly names: Map<string, string>;
  readonly uncounted: UncountedProxies;
  isComplete: boolean;
}

/** Who refuses by turns writes no line each time. */
const saidRefusalsMax = 8;

export class PolicyProxies {
  readonly #dependencies: PolicyProxiesDependencies;
  readonly #proxies = new ProxyTable();
  readonly #streams = new Map<Session, Stream>();
  /** The newest of each agent. */
  readonly #streamOf = new Map<string, Stream>();

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
    const { applied, said } = proxy;
    if (!said.hasListeners || applied === "nothing") return { kind: "none" };
    if (applied === undefined || said.applied === undefined) return { kind: "unknown" };
    if (applied.inbound.length === 0) return { kind: "none" };
    return { kind: "ours", policyDigest: said.applied.digest };
  }

  /** Whether it has told of a proxy whose listeners are ours. */
  hasListeners(session: Session): boolean {
    const told = this.#streams.get(session)?.told ?? [];
    return [...told].some((key) => this.#proxies.get(key)?.said.hasListeners === true);
  }

  /** @throws MeshMessageError for a policy that is none, and for a second first report */
  take(session: Session, reporter: Reporter, report: PolicyReport): void {
    const stream = this.#streams.get(session) ?? newStream(reporter);
    if (report.full && this.#streams.has(session)) {
      throw new MeshMessageError("mesh-policy-malformed", "expected one full report of policies");
    }
    this.#streams.set(session, stream);
    this.#streamOf.set(agentKey(reporter.spiffeId, reporter.agentId), stream);
    for (const said of report.proxies) this.#takeOne(session, stream, said);
    for (const name of report.gone) {
      stream.uncounted.delete(name);
      const proxy = this.#proxies.get(stream.names.get(name) ?? "");
      stream.names.delete(name);
      if (proxy?.session === session) this.#leave(proxy, true);
    }
    if (report.complete) this.#complete(session, stream);
  }

  /** Tokens came: of whom nothing counted before, it may count now. @throws MeshMessageError */
  proven(session: Session): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    for (const [, { owner, said }] of stream.uncounted.unproven()) {
      if (this.#counts(session, owner)) this.#takeOne(session, stream, said);
    }
  }

  closed(session: Session): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    this.#streams.delete(session);
    const agent = agentKey(stream.reporter.spiffeId, stream.reporter.agentId);
    if (this.#streamOf.get(agent) === stream) this.#streamOf.delete(agent);
    for (const key of stream.told) {
      const proxy = this.#proxies.get(key);
      if (proxy?.session === session) this.#leave(proxy, false);
    }
  }

  /** It does not come back. */
  forget(key: string): void {
    const proxy = this.#proxies.get(key);
    if (proxy === undefined) return;
    const { spiffeId, agentId } = proxy.reporter;
    this.#proxies.delete(proxy);
    this.#streamOf.get(agentKey(spiffeId, agentId))?.told.delete(key);
  }

  #counts({ spokenFor, peer }: Session, owner: string): boolean {
    return (
      owner === peer.id.toString() || spokenFor?.has(owner, this.#dependencies.nowMs()) === true
    );
  }

  #takeOne(session: Session, stream: Stream, said: ReportedPolicy): void {
    const owner = said.spiffeId ?? session.peer.id.toString();
    const key = proxyKeyOf(stream.reporter, owner, said.proxyId);
    if (!this.#counts(session, owner)) {
      // A workload's agent speaks for nobody else, whatever comes.
      if (session.spokenFor !== undefined) this.#setAside(stream, key, { owner, said });
      return;
    }
    const { uncounted, reporter } = stream;
    uncounted.delete(policyKey(said));
    if (this.#proxies.hasRoom(key, reporter, owner)) this.#take(session, stream, key, owner, said);
    else if (uncounted.drop(owner)) this.#dependencies.dropped(reporter, owner);
  }

  /** It is there, whatever else there is to say of it. */
  #setAside(stream: Stream, key: string, proxy: UncountedProxy): void {
    const known = this.#proxies.get(key);
    if (known?.session === undefined && known?.goneSinceMs !== undefined) {
      known.goneSinceMs = undefined;
    }
    const { uncounted, reporter } = stream;
    if (uncounted.keep(policyKey(proxy.said), proxy) || !uncounted.drop(proxy.owner)) return;
    this.#dependencies.dropped(reporter, proxy.owner);
  }

  #take(session: Session, stream: Stream, key: string, owner: string, said: ReportedPolicy): void {
    const { reporter } = stream;
    const known = this.#proxies.get(key);
    const isNew = !stream.told.has(key);
    stream.told.add(key);
    stream.names.set(policyKey(said), key);
    const desired = this.#dependencies.desired(key);
    const claims = claimsAfter(known ?? noClaims, said, { desired, isNew });
    const identity = identityOf(key, owner, said);
    const refusal = claims.refused && said.nack?.digest;
    const saidBefore = known?.saidRefusals ?? [];
    const isNewRefusal = refusal !== undefined && !saidBefore.includes(refusal);
    const proxy: PolicyProxy = {
      identity: sameValue(identity, known?.identity) ? (known?.identity ?? identity) : identity,
      spiffeId: owner,
      reporter,
      session,
      said: withoutOctets(said),
      ...claims,
      tooLarge: known?.tooLarge,
      saidRefusals: isNewRefusal ? [...saidBefore, refusal].slice(-saidRefusalsMax) : saidBefore,
      goneSinceMs: undefined,
    };
    this.#proxies.set(proxy);
    const { applied, partial, strays } = claims;
    // It would be tried again with each report.
    const refused = claims.refused ?? (applied === undefined ? undefined : proxy.tooLarge);
    const { hasListeners } = said;
    const pending = [...strays, ...partial];
    // It has gone and come: what was sent to it is among the strays.
    const isFirst = isNew || known?.session === undefined;
    const isRenamed = proxy.identity !== known?.identity;
    this.#dependencies.told(proxy, { isFirst, hasListeners, applied, pending, refused }, isRenamed);
    if (isNewRefusal) this.#dependencies.refused(proxy);
  }

  #complete(session: Session, stream: Stream): void {
    stream.isComplete = true;
    const { reporter, told, uncounted } = stream;
    for (const proxy of this.ofAgent(reporter)) {
      if (told.has(proxy.identity.key)) continue;
      if (proxy.session !== undefined && proxy.session !== session) continue;
      if (uncounted.mayBe(policyKey(proxy.said), proxy.spiffeId)) continue;
      this.#leave(proxy, true);
    }
  }

  #leave(proxy: PolicyProxy, isGone: boolean): void {
    const { sent, strays } = claimsWithoutProxy(proxy);
    Object.assign(proxy, { session: undefined, sent, strays });
    this.#proxies.left(proxy);
    proxy.goneSinceMs = isGone ? (proxy.goneSinceMs ?? this.#dependencies.nowMs()) : undefined;
    this.#dependencies.left(proxy);
  }
}

function newStream(reporter: Reporter): Stream {
  const uncounted = new UncountedProxies();
  return { reporter, told: new Set(), names: new Map(), uncounted, isComplete: false };
}
