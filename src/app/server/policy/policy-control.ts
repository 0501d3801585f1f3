/**
 * Policy as the mesh streams meet it: who tells what of its Envoys, who is waited for, and what each is told. It decides nothing
 * itself: `core/policy` has the index of what each is to do, and the rollout of what it may be told now.
 */

import type { PolicyObject } from "../../../core/resources/policy-object.ts";
import { nameKey, type ResourceRef } from "../../../core/resources/resource.ts";
import type { Hold } from "../../../core/policy/holds.ts";
import { PolicyIndex } from "../../../core/policy/policy-index.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { PolicyReport } from "../../../core/policy/policy-report.ts";
import { Rollout } from "../../../core/policy/rollout.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { GonePodsView } from "../kube/configuration/gone-pods.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { CertificateEnds } from "./certificate-ends.ts";
import { ExpectedProxies } from "./expected-proxies.ts";
import { PolicyProxies } from "./policy-proxies.ts";
import type { PolicyProxy } from "./policy-proxy.ts";
import { PolicyPublisher } from "./policy-publisher.ts";
import type { ProxyWatch } from "./proxy-watch.ts";
import type { SilentOwnersDependencies } from "./silent-owners.ts";

export interface PolicyEvents {
  /** @param objects that what it refused comes from */
  policyRefused(proxy: PolicyProxy, objects: readonly ResourceRef[]): void;
  policyTooLarge(proxy: PolicyProxy, octets: number): void;
  /** There is no room for more proxies of an identity, or for more of their policies: they are waited for. */
  policyDropped(reporter: Reporter, spiffeId: string): void;
}

export interface PolicyControlDependencies extends SilentOwnersDependencies {
  readonly trustDomain: string;
  readonly events: PolicyEvents;
  readonly watch?: ProxyWatch | undefined;
  /** Of a cluster. */
  readonly gonePods?: GonePodsView | undefined;
  /** Whether it is known who is there; until then nobody is told anything new. */
  readonly isKnown?: () => boolean;
  /** When the last certificate ends that an identity was given; 0 for none. */
  readonly newestNotAfterMs: (spiffeId: string) => number;
  /** As gates have it: what has expired by this has expired. */
  readonly provenNowMs: () => number;
  readonly nowMs: () => number;
}

/** An Envoy comes back to its agent within 2 s; one that does not for so long has ended. */
const goneMs = 60_000;
const lookMs = 2_000;
const noPods: GonePodsView = { of: () => undefined, hasEnded: () => false };
/** Endpoints come last, and may be thousands. */
const objectsMax = 64;

export class PolicyControl implements Disposable {
  readonly index: PolicyIndex;
  readonly rollout: Rollout = new Rollout();
  readonly proxies: PolicyProxies;
  readonly gonePods: GonePodsView;
  readonly #dependencies: PolicyControlDependencies;
  readonly #publisher: PolicyPublisher;
  readonly #expectations: ExpectedProxies;
  readonly #ends: CertificateEnds;
  readonly #timer: NodeJS.Timeout;
  readonly #listeners = new Set<(identity: ProxyIdentity) => void>();
  #isLookScheduled = false;

  constructor(dependencies: PolicyControlDependencies) {
    this.#dependencies = dependencies;
    const { trustDomain, events, nowMs, gonePods = noPods } = dependencies;
    this.gonePods = gonePods;
    const { rollout } = this;
    const index = new PolicyIndex(trustDomain);
    this.index = index;
    this.#ends = new CertificateEnds(dependencies.newestNotAfterMs);
    this.#expectations = new ExpectedProxies(dependencies, {
      come: (identity) => {
        index.addProxy(identity);
        this.#publisher.schedule();
        this.#say(identity);
      },
      went: (key) => {
        index.removeProxy(key);
        rollout.remove(key);
        this.#publisher.schedule();
      },
    });
    this.proxies = new PolicyProxies({
      told: (proxy, report, isRenamed) => {
        if (isRenamed) this.#added(proxy);
        rollout.reported(proxy.identity.key, report);
        this.#publisher.schedule();
        this.#say(proxy.identity);
      },
      left: ({ identity }) => {
        rollout.disconnected(identity.key);
        this.#publisher.schedule();
        this.#say(identity);
      },
      refused: (proxy) => events.policyRefused(proxy, this.objectsOf(proxy)),
      dropped: (reporter, spiffeId) => events.policyDropped(reporter, spiffeId),
      desired: (key) => index.desired(key),
      nowMs,
    });
    const tooLarge = (proxy: PolicyProxy, octets: number) => events.policyTooLarge(proxy, octets);
    const { isKnown = () => true } = dependencies;
    const { proxies } = this;
    this.#publisher = new PolicyPublisher({ index, rollout, proxies, tooLarge, isKnown });
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** Whether somebody may be running of whom nothing was heard. */
  get isWaiting(): boolean {
    return this.expected.size > 0;
  }

  /** Those of whom nothing was heard, by key. */
  get expected(): ReadonlyMap<string, ProxyIdentity> {
    return this.#expectations.all();
  }

  /** Told of each proxy that has come, gone or said something; until it is disposed. */
  onProxy(listener: (identity: ProxyIdentity) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** In the place of all that was held back. */
  hold(holds: readonly Hold[]): void {
    this.index.hold(holds);
    this.#publisher.schedule();
  }

  /** The configuration is another one. */
  change(set: Iterable<PolicyObject>, deleted: Iterable<ResourceRef>): void {
    for (const ref of deleted) {
      this.index.delete(ref);
      if (ref.kind === "WorkloadEntry") this.#expectations.delete(ref);
    }
    for (const each of set) {
      this.index.set(each);
      if (each.kind === "WorkloadEntry") this.#expectations.set(each.object);
    }
    this.#expectations.look();
    this.#publisher.schedule();
  }

  /** An agent that writes no Envoy's listeners, and has none of our clients. */
  withoutPolicy(reporter: Reporter, isNodeAgent: boolean): void {
    const missed = { unproven: [], dropped: [] };
    this.#expectations.heard(reporter, isNodeAgent, missed);
    this.#dependencies.watch?.heard(reporter, missed);
  }

  /** @throws MeshMessageError */
  take(session: Session, reporter: Reporter, report: PolicyReport): void {
    this.proxies.take(session, reporter, report);
    this.#hear(session, reporter);
  }

  /** @throws MeshMessageError */
  proven(session: Session): void {
    this.proxies.proven(session);
    if (session.reporter !== undefined) this.#hear(session, session.reporter);
  }

  closed(session: Session): void {
    this.proxies.closed(session);
  }

  /** Its keys are destroyed, and its Envoys with them. */
  goodbye({ spiffeId, agentId }: Reporter): void {
    for (const proxy of this.proxies.ofAgent({ spiffeId, agentId })) this.#remove(proxy);
    this.#dependencies.watch?.goodbye({ spiffeId, agentId });
  }

  /** The objects that what it refused comes from, the likeliest first. */
  objectsOf({ said, identity }: PolicyProxy): readonly ResourceRef[] {
    const refs = (said.nack?.resources ?? []).flatMap((name) =>
      this.index.because(identity.key, name),
    );
    const unlike = new Map(refs.map((ref) => [`${ref.kind}/${nameKey(ref)}`, ref]));
    return [...unlike.values()].slice(0, objectsMax);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #added(proxy: PolicyProxy): void {
    const { identity, spiffeId, reporter } = proxy;
    this.index.addProxy(identity);
    this.#dependencies.watch?.added(proxy);
    this.#expectations.told(spiffeId, identity.nodeId, reporter);
  }

  #remove(proxy: PolicyProxy): void {
    const { identity, spiffeId, reporter } = proxy;
    this.proxies.forget(identity.key);
    this.#dependencies.watch?.removed(proxy);
    this.index.removeProxy(identity.key);
    this.rollout.remove(identity.key);
    this.#expectations.left(spiffeId, identity.nodeId, reporter);
    this.#publisher.schedule();
    this.#say(identity);
  }

  #say(identity: ProxyIdentity): void {
    for (const listener of this.#listeners) listener(identity);
  }

  #hear(session: Session, reporter: Reporter): void {
    const found = this.proxies.missed(session);
    if (found === undefined) return;
    const missed = { unproven: [...found.unproven], dropped: [...found.dropped] };
    this.#expectations.heard(reporter, session.spokenFor !== undefined, missed);
    this.#dependencies.watch?.heard(reporter, missed);
    this.#lookSoon();
  }

  /** The log may have been read meanwhile; once for all who come within a turn of the event loop. */
  #lookSoon(): void {
    if (this.#isLookScheduled) return;
    this.#isLookScheduled = true;
    setImmediate(() => {
      this.#isLookScheduled = false;
      this.#expectations.look();
    });
  }

  /** Whoever is away for good. */
  #look(): void {
    const { nowMs, provenNowMs, watch } = this.#dependencies;
    const now = nowMs();
    const provenMs = provenNowMs();
    const ends = this.#ends.begin(provenMs);
    // Others of its identity may have certificates for ever.
    const haveEnded = (spiffeId: string, key: string): boolean =>
      ends.haveEnded(spiffeId) || this.gonePods.hasEnded(key, provenMs);
    for (const proxy of this.proxies.away()) {
      const { goneSinceMs, spiffeId, identity } = proxy;
      const isGone = goneSinceMs !== undefined && now - goneSinceMs >= goneMs;
      if (isGone || haveEnded(spiffeId, identity.key)) this.#remove(proxy);
    }
    watch?.look(haveEnded);
    this.#expectations.look();
    this.#publisher.look();
  }
}
