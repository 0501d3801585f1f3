/** What all Envoys of an agent are to do: the feed of their streams, filled by the mesh stream and, after a restart, by the disk. */

import { policyKey, type ReportedPolicy } from "../../../core/policy/policy-report.ts";
import { policyDigest } from "../../../edge/rpc/policy-messages.ts";
import type { PolicyAssignment } from "../../../edge/rpc/policy-snapshot-messages.ts";
import type { AgentEvents } from "../../../edge/telemetry/agent-events.ts";
import { nodeIdLengthMax } from "../proxy-evidence.ts";
import { FedProxy, type PolicyState } from "./fed-proxy.ts";
import { receivePolicy, type KeptPolicy, type ReceivedPolicy } from "./kept-policy.ts";
import type { OpenPolicy, PolicyFeed, PolicyProxyName, PolicyUser } from "./policy-feed.ts";
import { PolicyStore } from "./policy-store.ts";
import { PolicyTalks } from "./policy-talks.ts";

export interface AgentPoliciesOptions {
  readonly stateDir: string;
  readonly events: AgentEvents;
  readonly nowMs: () => number;
  /** There may be something to report. */
  readonly onChange: () => void;
  /** How long whoever begins anew waits for the server's word. @default 2 s */
  readonly silenceMs?: number;
}

/** All that there is to say, by `policyKey`. */
export interface PolicyKnown {
  readonly here: ReadonlyMap<string, PolicyState>;
  /** Of those that are here: what they may do that their state does not say. */
  readonly answering: ReadonlySet<string>;
  /** Of those that are here: who was told something of which no state says yet what came of it. */
  readonly unanswered: ReadonlySet<string>;
  /** Who may come back with what it had. */
  readonly away: ReadonlyMap<string, ReportedPolicy>;
}

/** Of those that are away: what they have refused is remembered. */
const awayMax = 4_096;
const nothing: OpenPolicy = {
  given: undefined,
  acked: () => {},
  nacked: () => {},
  draining: () => {},
  close: () => {},
};

export class AgentPolicies implements PolicyFeed {
  readonly talks: PolicyTalks;
  readonly #options: AgentPoliciesOptions;
  /** By `policyKey`; who has gone last is last. */
  readonly #proxies: Map<string, FedProxy>;
  readonly #store: PolicyStore;

  private constructor(
    options: AgentPoliciesOptions,
    proxies: Map<string, FedProxy>,
    store: PolicyStore,
  ) {
    this.talks = new PolicyTalks(options.silenceMs);
    this.#options = options;
    this.#proxies = proxies;
    this.#store = store;
  }

  static async open(options: AgentPoliciesOptions): Promise<AgentPolicies> {
    const proxies = new Map<string, FedProxy>();
    const store = await PolicyStore.open({
      ...options,
      isHere: (key) => proxies.get(key)?.isHere === true,
      onKept: (key, { received }) => proxies.get(key)?.kept(received),
    });
    return new AgentPolicies(options, proxies, store);
  }

  open(user: PolicyUser): OpenPolicy {
    const { proxyId, spiffeId } = user.proxy;
    // Nobody could be told of it.
    if (proxyId === "" || proxyId.length > nodeIdLengthMax) return nothing;
    const name = { proxyId, spiffeId };
    const key = policyKey(name);
    const proxy = this.#proxies.get(key) ?? this.#add(key, name);
    const opened = proxy.open(user);
    const close = (): void => {
      opened.close();
      this.#closed(key, proxy);
    };
    return { ...opened, close };
  }

  /**
   * What the server says. Who is not here is passed over.
   * @returns by `policyKey` the digests of what those who are here were told
   */
  take(assignments: readonly PolicyAssignment[]): (readonly [string, string])[] {
    return assignments.flatMap((assignment) => {
      const key = policyKey(assignment);
      const proxy = this.#proxies.get(key);
      if (proxy?.isHere !== true) return [];
      return [[key, this.#takeOne(proxy, assignment)] as const];
    });
  }

  /** @param mayAct whether one that is away may still use what it has, by `policyKey` */
  known(mayAct: (key: string) => boolean): PolicyKnown {
    const here = new Map<string, PolicyState>();
    const [answering, unanswered] = [new Set<string>(), new Set<string>()];
    for (const [key, proxy] of this.#proxies) {
      const { state } = proxy;
      if (state === undefined) continue;
      here.set(key, state);
      if (proxy.isAnswering) answering.add(key);
      if (proxy.isUnanswered) unanswered.add(key);
    }
    this.#store.saw(here.keys());
    const away = new Map<string, ReportedPolicy>();
    for (const [key, kept] of this.#store.all) {
      if (!here.has(key) && mayAct(key)) away.set(key, reportOf(kept));
    }
    return { here, answering, unanswered, away };
  }

  async settled(): Promise<void> {
    await this.#store.settled();
  }

  /** @throws what the file system says */
  async destroy(): Promise<void> {
    await this.#store.destroy();
  }

  #add(key: string, name: PolicyProxyName): FedProxy {
    const { events, onChange } = this.#options;
    const proxy: FedProxy = new FedProxy({
      name,
      good: this.#store.find(key)?.received,
      onGood: (received) => {
        events.policyApplied(name, received.digest);
      },
      keep: (received) => this.#keep(key, proxy, received),
      drop: () => this.#store.drop(key),
      onRefused: (nack) => events.policyRefused(name, nack),
      awaitServer: (onSilence) => this.talks.wait(onSilence),
      onChange,
    });
    this.#proxies.set(key, proxy);
    return proxy;
  }

  #keep(key: string, { state }: FedProxy, received: ReceivedPolicy): void {
    if (state === undefined) return;
    const { proxyId, spiffeId, labels, hasListeners } = state.proxy;
    const seenMs = this.#options.nowMs();
    this.#store.keep(key, { proxyId, spiffeId, labels, hasListeners, received, seenMs });
  }

  #closed(key: string, proxy: FedProxy): void {
    if (proxy.isHere || this.#proxies.get(key) !== proxy) return;
    this.#proxies.delete(key);
    if (!proxy.hasRefused) return;
    this.#proxies.set(key, proxy);
    let away = [...this.#proxies.values()].filter(({ isHere }) => !isHere).length;
    for (const [oldest, { isHere }] of this.#proxies) {
      if (away <= awayMax) return;
      if (isHere) continue;
      this.#proxies.delete(oldest);
      away -= 1;
    }
  }

  /** @returns its digest */
  #takeOne(proxy: FedProxy, { octets, proxyId, spiffeId }: PolicyAssignment): string {
    let received: ReceivedPolicy;
    try {
      received = receivePolicy(octets);
    } catch (error) {
      const digest = policyDigest(octets);
      this.#options.events.policyUnreadable({ proxyId, spiffeId }, digest, error);
      proxy.takeUnreadable(digest, error);
      return digest;
    }
    proxy.take(received);
    return received.digest;
  }
}

/** Its Envoy may have been told more than it has answered. */
function reportOf(kept: KeptPolicy): ReportedPolicy {
  const { proxyId, spiffeId, labels, hasListeners, received } = kept;
  const applied = { digest: received.digest, octets: received.octets };
  const draining = new Map<number, number>();
  const oldConnections = "unobserved" as const;
  const rest = { applied, isUnsure: true, nack: undefined, draining, oldConnections };
  return { proxyId, spiffeId, labels, hasListeners, ...rest, assignmentsAnswered: 0 };
}
