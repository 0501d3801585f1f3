/**
 * Policy as the mesh streams meet it: who tells what of its Envoys, who is waited for, and what each is told. It decides nothing
 * itself: `core/policy` has the index of what each is to do, and the rollout of what it may be told now.
 */

import type { PolicyObject } from "../../../core/resources/policy-object.ts";
import { nameKey, type ResourceRef } from "../../../core/resources/resource.ts";
import type { WorkloadEntry } from "../../../core/resources/workload-entry.ts";
import { PolicyIndex } from "../../../core/policy/policy-index.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { PolicyReport } from "../../../core/policy/policy-report.ts";
import { Rollout } from "../../../core/policy/rollout.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { ExpectedProxies, type OwnersView } from "./expected-proxies.ts";
import { PolicyProxies, type PolicyProxy } from "./policy-proxies.ts";
import { PolicyPublisher } from "./policy-publisher.ts";

export interface PolicyEvents {
  /** @param objects that what it refused comes from */
  policyRefused(proxy: PolicyProxy, objects: readonly ResourceRef[]): void;
  policyTooLarge(proxy: PolicyProxy, octets: number): void;
}

export interface PolicyControlDependencies {
  readonly trustDomain: string;
  readonly events: PolicyEvents;
  /** Who has an unexpired certificate, by the log. */
  readonly owners: () => OwnersView;
  /** When the last certificate ends that an identity was given; 0 for none. */
  readonly newestNotAfterMs: (spiffeId: string) => number;
  /** As gates have it: what has expired by this has expired. */
  readonly provenNowMs: () => number;
  readonly nowMs: () => number;
}

/** An Envoy comes back to its agent within 2 s; one that does not for so long has ended. */
const goneMs = 60_000;
const lookMs = 2_000;
/** Endpoints come last, and may be thousands. */
const objectsMax = 64;

export class PolicyControl implements Disposable {
  readonly index: PolicyIndex;
  readonly rollout: Rollout = new Rollout();
  readonly proxies: PolicyProxies;
  readonly #dependencies: PolicyControlDependencies;
  readonly #publisher: PolicyPublisher;
  readonly #expectations: ExpectedProxies;
  readonly #entries = new Map<string, WorkloadEntry>();
  readonly #timer: NodeJS.Timeout;
  #expected: ReadonlyMap<string, ProxyIdentity> = new Map();
  #isSettled = false;

  constructor(dependencies: PolicyControlDependencies) {
    this.#dependencies = dependencies;
    const { trustDomain, events, nowMs } = dependencies;
    const { rollout } = this;
    const index = new PolicyIndex(trustDomain);
    this.index = index;
    this.#expectations = new ExpectedProxies(dependencies);
    this.proxies = new PolicyProxies({
      told: (proxy, report, isRenamed) => {
        if (isRenamed) this.#added(proxy);
        rollout.reported(proxy.identity.key, report);
        this.#publisher.schedule();
      },
      left: ({ identity }) => {
        rollout.disconnected(identity.key);
        this.#publisher.schedule();
      },
      refused: (proxy) => events.policyRefused(proxy, this.objectsOf(proxy)),
      desired: (key) => index.desired(key),
      nowMs,
    });
    const tooLarge = (proxy: PolicyProxy, octets: number) => events.policyTooLarge(proxy, octets);
    this.#publisher = new PolicyPublisher({ index, rollout, proxies: this.proxies, tooLarge });
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** Whether somebody may be running of whom nothing was heard. */
  get isWaiting(): boolean {
    return this.#expected.size > 0;
  }

  /** Those of whom nothing was heard, by key. */
  get expected(): ReadonlyMap<string, ProxyIdentity> {
    return this.#expected;
  }

  /** The configuration is another one. */
  change(set: Iterable<PolicyObject>, deleted: Iterable<ResourceRef>): void {
    for (const ref of deleted) {
      this.index.delete(ref);
      if (ref.kind === "WorkloadEntry") this.#entries.delete(nameKey(ref));
    }
    for (const each of set) {
      this.index.set(each);
      if (each.kind === "WorkloadEntry") this.#entries.set(nameKey(each.object.ref), each.object);
    }
    this.#expect();
    this.#publisher.schedule();
  }

  /** An agent that writes no Envoy's listeners, and has none of our clients. */
  withoutPolicy(reporter: Reporter, isNodeAgent: boolean): void {
    this.#expectations.heard(reporter, isNodeAgent);
  }

  /** @throws MeshMessageError */
  take(session: Session, reporter: Reporter, report: PolicyReport): void {
    this.proxies.take(session, reporter, report);
    if (!report.complete) return;
    session.hasToldPolicy = true;
    this.#expectations.heard(reporter, session.spokenFor !== undefined);
    this.#expect();
  }

  /** @throws MeshMessageError */
  proven(session: Session): void {
    this.proxies.proven(session);
  }

  closed(session: Session): void {
    this.proxies.closed(session);
  }

  /** Its keys are destroyed, and its Envoys with them. */
  goodbye({ spiffeId, agentId }: Reporter): void {
    for (const proxy of this.proxies.all()) {
      const { reporter } = proxy;
      if (reporter.spiffeId === spiffeId && reporter.agentId === agentId) this.#remove(proxy);
    }
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
    this.index.addProxy(proxy.identity);
    const { namespace, nodeId: name } = proxy.identity;
    if (this.#entries.has(nameKey({ namespace, name }))) this.#expect();
  }

  #remove({ identity }: PolicyProxy): void {
    this.proxies.forget(identity.key);
    this.index.removeProxy(identity.key);
    this.rollout.remove(identity.key);
    this.#publisher.schedule();
  }

  /** Whoever is away for good. */
  #look(): void {
    const { nowMs, provenNowMs, newestNotAfterMs } = this.#dependencies;
    const now = nowMs();
    for (const proxy of this.proxies.all()) {
      const { session, goneSinceMs, spiffeId } = proxy;
      if (session !== undefined) continue;
      const isGone = goneSinceMs !== undefined && now - goneSinceMs >= goneMs;
      if (isGone || provenNowMs() >= newestNotAfterMs(spiffeId)) this.#remove(proxy);
    }
    if (!this.#isSettled) this.#expect();
  }

  #expect(): void {
    if (this.#isSettled) return;
    const named = new Set(
      Array.from(this.proxies.all(), ({ identity: { namespace, nodeId: name } }) =>
        nameKey({ namespace, name }),
      ),
    );
    const { isSettled, expected } = this.#expectations.look(this.#entries.values(), (name) =>
      named.has(name),
    );
    this.#isSettled = isSettled;
    for (const key of this.#expected.keys()) {
      if (expected.has(key)) continue;
      this.index.removeProxy(key);
      this.rollout.remove(key);
    }
    for (const [key, identity] of expected) {
      if (!this.#expected.has(key)) this.index.addProxy(identity);
    }
    this.#expected = expected;
    this.#publisher.schedule();
  }
}
