/** What is decided once for many proxies, and kept: what workloads of a class take, clusters, and what clients see alike. */

import type { ClientTls } from "../resources/client-tls.ts";
import { ruleTls } from "./client-rule.ts";
import { ClusterNodes } from "./cluster-nodes.ts";
import { EndpointClasses } from "./endpoint-classes.ts";
import type { Labelled } from "./labels.ts";
import { outboundCluster, type CalledPort } from "./outbound-cluster.ts";
import type { OutboundView } from "./outbound-view.ts";
import { OutboundViews } from "./outbound-views.ts";
import type { PolicyState } from "./policy-state.ts";
import { portModes } from "./port-modes.ts";
import type { OutboundCluster } from "./proxy-policy.ts";
import { WorkloadClasses, type WorkloadClass } from "./workload-classes.ts";

export class PolicyParts {
  readonly state: PolicyState;
  readonly classes: WorkloadClasses;
  readonly endpoints: EndpointClasses;
  readonly nodes: ClusterNodes<OutboundView>;
  readonly views: OutboundViews;

  constructor(state: PolicyState) {
    this.state = state;
    this.classes = new WorkloadClasses((workload) => portModes(state.peers, workload));
    this.endpoints = new EndpointClasses(state.services, {
      acquire: (workload) => this.classes.acquire(workload),
      release: (of) => this.release(of),
    });
    this.nodes = new ClusterNodes((called, tls) => this.#cluster(called, tls));
    this.views = new OutboundViews(this.nodes);
  }

  /** One user less. */
  release(of: WorkloadClass): void {
    if (this.classes.release(of)) this.views.leave(of);
  }

  /** What the rule that counts for this client says. */
  tlsOf(client: Labelled, { service, host, port }: CalledPort): ClientTls | undefined {
    const rule = this.state.rules.ruleFor(client, host, service.ref.namespace);
    return rule && ruleTls(rule, port.number, "")[0]?.tls;
  }

  #cluster(called: CalledPort, tls: ClientTls | undefined): OutboundCluster {
    const { services, trustDomain, config } = this.state;
    return outboundCluster({
      called,
      endpoints: services.reached(called.service, called.host),
      modesOf: (endpoint) => this.endpoints.modesOf(called.service, endpoint),
      tls,
      trustDomain,
      enableAutoMtls: config.enableAutoMtls,
    });
  }
}
