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
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import { sameValue } from "../../../core/policy/same-value.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { KnownListeners, ProvenProxy } from "../../../core/roll/handshake-proof.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { claimsAfter, claimsWithoutProxy, noClaims, type PolicyClaims } from "./policy-claims.ts";

export interface PolicyProxy extends PolicyClaims {
  readonly identity: ProxyIdentity;
  readonly spiffeId: string;
  readonly reporter: Reporter;
  /** The stream that tells of it; undefined while its agent is away, or says that its last stream has closed. */
  session: Session | undefined;
  /** Without octets. */
  said: ReportedPolicy;
  refused: PolicyClaims["refused"];
  sent: PolicyClaims["sent"];
  strays: PolicyClaims["strays"];
  /** Its agent is there, and it is not, since then. */
  goneSinceMs: number | undefined;
}

export interface PolicyProxiesDependencies {
  readonly told: (proxy: PolicyProxy, report: ProxyReport, isRenamed: boolean) => void;
  readonly left: (proxy: PolicyProxy) => void;
  readonly refused: (proxy: PolicyProxy) => void;
  /** By key: what it is to do, by the configuration. */
  readonly desired: (key: string) => ProxyPolicy | undefined;
  readonly nowMs: () => number;
}

interface Stream {
  readonly reporter: Reporter;
  /** Told on this stream. */
  readonly told: Set<string>;
  /** From a node agent that has not shown their token yet, by `policyKey`. */
  readonly unproven: Map<string, ReportedPolicy>;
}

const unprovenMax = 4_096;

export class PolicyProxies {
  readonly #dependencies: PolicyProxiesDependencies;
  readonly #proxies = new Map<string, PolicyProxy>();
  readonly #streams = new Map<Session, Stream>();

  constructor(dependencies: PolicyProxiesDependencies) {
    this.#dependencies = dependencies;
  }

  all(): IterableIterator<PolicyProxy> {
    return this.#proxies.values();
  }

  get(key: string): PolicyProxy | undefined {
    return this.#proxies.get(key);
  }

  /** What is known of a proxy's listeners by what its agent has told on this stream. */
  listenersOf(session: Session, { reporter, spiffeId, proxyId }: ProvenProxy): KnownListeners {
    if (session.wantsPolicy !== true) return { kind: "none" };
    const proxy = this.#proxies.get(keyOf(reporter, spiffeId, proxyId));
    if (proxy?.session !== session) {
      return { kind: session.hasToldPolicy === true ? "none" : "unknown" };
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

  /** @throws MeshMessageError for a policy that is none */
  take(session: Session, reporter: Reporter, report: PolicyReport): void {
    if (report.full || !this.#streams.has(session)) {
      this.#streams.set(session, { reporter, told: new Set(), unproven: new Map() });
    }
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    for (const said of report.proxies) this.#takeOne(session, stream, said);
    for (const name of report.gone) {
      stream.unproven.delete(name);
      for (const key of stream.told) {
        const proxy = this.#proxies.get(key);
        if (proxy !== undefined && policyKey(proxy.said) === name) this.#leave(proxy, true);
      }
    }
    if (report.complete) this.#complete(session, stream);
  }

  /** Tokens came: of whom nothing counted before, it may count now. @throws MeshMessageError */
  proven(session: Session): void {
    const stream = this.#streams.get(session);
    if (stream === undefined) return;
    for (const [name, said] of stream.unproven) {
      stream.unproven.delete(name);
      this.#takeOne(session, stream, said);
    }
  }

  closed(session: Session): void {
    const stream = this.#streams.get(session);
    this.#streams.delete(session);
    for (const key of stream?.told ?? []) {
      const proxy = this.#proxies.get(key);
      if (proxy?.session === session) this.#leave(proxy, false);
    }
  }

  /** It does not come back. */
  forget(key: string): void {
    this.#proxies.delete(key);
  }

  #takeOne(session: Session, stream: Stream, said: ReportedPolicy): void {
    const { spokenFor, peer } = session;
    const owner = said.spiffeId ?? peer.id.toString();
    const speaks = said.spiffeId === undefined || said.spiffeId === peer.id.toString();
    if (!speaks && spokenFor?.has(owner, this.#dependencies.nowMs()) !== true) {
      if (stream.unproven.size < unprovenMax) stream.unproven.set(policyKey(said), said);
      return;
    }
    const { reporter } = stream;
    const key = keyOf(reporter, owner, said.proxyId);
    const known = this.#proxies.get(key);
    const isNew = !stream.told.has(key);
    stream.told.add(key);
    const desired = this.#dependencies.desired(key);
    const claims = claimsAfter(known ?? noClaims, said, { desired, isNew });
    const identity = identityOf(key, owner, said);
    const proxy: PolicyProxy = {
      identity: sameValue(identity, known?.identity) ? (known?.identity ?? identity) : identity,
      spiffeId: owner,
      reporter,
      session,
      said: withoutOctets(said),
      ...claims,
      goneSinceMs: undefined,
    };
    this.#proxies.set(key, proxy);
    const { applied, refused, partial, strays } = claims;
    const isNewRefusal = refused !== undefined && refused !== known?.refused;
    const { hasListeners } = said;
    const pending = [...strays, ...partial];
    // It has gone and come: what was sent to it is among the strays.
    const isFirst = isNew || known?.session === undefined;
    const isRenamed = proxy.identity !== known?.identity;
    this.#dependencies.told(proxy, { isFirst, hasListeners, applied, pending, refused }, isRenamed);
    if (isNewRefusal) this.#dependencies.refused(proxy);
  }

  #complete(session: Session, { reporter, told }: Stream): void {
    const agent = agentKey(reporter.spiffeId, reporter.agentId);
    for (const [key, proxy] of this.#proxies) {
      const { spiffeId, agentId } = proxy.reporter;
      if (agentKey(spiffeId, agentId) !== agent || told.has(key)) continue;
      if (proxy.session === undefined || proxy.session === session) this.#leave(proxy, true);
    }
  }

  #leave(proxy: PolicyProxy, isGone: boolean): void {
    const { sent, strays } = claimsWithoutProxy(proxy);
    Object.assign(proxy, { session: undefined, sent, strays });
    proxy.goneSinceMs = isGone ? (proxy.goneSinceMs ?? this.#dependencies.nowMs()) : undefined;
    this.#dependencies.left(proxy);
  }
}

function keyOf({ spiffeId, agentId }: Reporter, owner: string, proxyId: string): string {
  return `${agentKey(spiffeId, agentId)} ${owner} ${proxyId}`;
}

function withoutOctets(said: ReportedPolicy): ReportedPolicy {
  const { applied, nack } = said;
  return {
    ...said,
    applied: applied && { ...applied, octets: undefined },
    nack: nack && { ...nack, octets: undefined },
  };
}

function identityOf(
  key: string,
  owner: string,
  { proxyId, labels }: ReportedPolicy,
): ProxyIdentity {
  const [, , namespace = "", , serviceAccount = ""] = SpiffeId.parse(owner).path.split("/");
  return { key, namespace, serviceAccount, nodeId: proxyId, claimedLabels: labels };
}
