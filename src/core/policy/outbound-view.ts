/**
 * What clients see alike: those of a namespace whose Sidecar has the same `egress` and whom no rule tells apart. It has their listeners
 * and clusters, and is decided once for all of them.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import type { ServiceEntry } from "../resources/service-entry.ts";
import type { EgressListener } from "../resources/sidecar.ts";
import { sharedRoute, type ClusterNode, type ClusterNodes } from "./cluster-nodes.ts";
import { placeOf } from "./egress-services.ts";
import { selectsHost } from "./explain-egress.ts";
import type { CalledPort } from "./outbound-cluster.ts";
import { planOutbound, type Egress } from "./outbound-plan.ts";
import type { OutboundCluster, OutboundPort } from "./proxy-policy.ts";
import { sameValue } from "./same-value.ts";
import type { Services } from "./services.ts";

export type TlsOfCall = (called: CalledPort) => ClientTls | undefined;

interface ViewCall {
  readonly called: CalledPort;
  readonly node: ClusterNode<OutboundView>;
}

export class OutboundView {
  readonly key: string;
  readonly egress: Egress;
  /** Of the rules that are for its clients only. */
  readonly selection: string;
  /** By the name of the cluster. */
  #calls: readonly ViewCall[] = [];
  #outbound: readonly OutboundPort[] = [];
  #clusters: readonly OutboundCluster[] = [];

  constructor(key: string, egress: Egress, selection: string) {
    this.key = key;
    this.egress = egress;
    this.selection = selection;
  }

  get outbound(): readonly OutboundPort[] {
    return this.#outbound;
  }

  get clusters(): readonly OutboundCluster[] {
    return this.#clusters;
  }

  get calls(): readonly ViewCall[] {
    return this.#calls;
  }

  /** Where services lie that it may select. */
  places(): ReadonlySet<string> {
    return new Set(this.#patterns().map((each) => placeOf(each, this.egress.namespace)));
  }

  selects(service: ServiceEntry): boolean {
    const { namespace } = this.egress;
    return this.#patterns().some((pattern) =>
      service.hosts.some((host) => selectsHost(pattern, namespace, service, host)),
    );
  }

  /** After services have come, gone or changed. */
  plan(services: Services, nodes: ClusterNodes<OutboundView>, tlsOf: TlsOfCall): boolean {
    const { outbound, called } = planOutbound(services, this.egress);
    const before = this.#calls;
    const byName = new Map<string, ClusterNode<OutboundView>>();
    this.#calls = Array.from(called, ([name, each]) => {
      const node = nodes.acquire(this, each, tlsOf(each));
      byName.set(name, node);
      return { called: each, node };
    });
    const kept = new Set(byName.values());
    for (const { node } of before) if (!kept.has(node)) nodes.release(this, node);
    const shared = outbound.map((port) => ({
      ...port,
      routes: port.routes.map((route) => {
        const node = byName.get(route.cluster);
        return node === undefined ? route : sharedRoute(node, route);
      }),
    }));
    const isSame = sameValue(shared, this.#outbound);
    if (!isSame) this.#outbound = shared;
    return this.refresh() || !isSame;
  }

  /** After a rule for one of these hosts has changed. */
  askRules(hosts: ReadonlySet<string>, nodes: ClusterNodes<OutboundView>, tlsOf: TlsOfCall): void {
    this.#calls = this.#calls.map((call) => {
      if (!hosts.has(call.called.host)) return call;
      const node = nodes.acquire(this, call.called, tlsOf(call.called));
      if (node === call.node) return call;
      nodes.release(this, call.node);
      return { called: call.called, node };
    });
  }

  /** @returns whether some cluster is another one now */
  refresh(): boolean {
    const clusters = this.#calls.map(({ node }) => node.cluster);
    if (sameValue(clusters, this.#clusters)) return false;
    this.#clusters = clusters;
    return true;
  }

  leave(nodes: ClusterNodes<OutboundView>): void {
    for (const { node } of this.#calls) nodes.release(this, node);
    this.#calls = [];
  }

  #patterns(): readonly string[] {
    return this.egress.listeners.flatMap(({ hosts }: EgressListener) => hosts);
  }
}
