/**
 * The clusters that clients have, each once for all whose rule says the same of it. A change of a service or of its endpoints is
 * decided here once, and only clients whose cluster has become another one hear of it.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import { nameKey, type ResourceRef } from "../resources/resource.ts";
import type { CalledPort } from "./outbound-cluster.ts";
import { MultiMap } from "./multi-map.ts";
import type { OutboundCluster, OutboundRoute } from "./proxy-policy.ts";
import { sameValue } from "./same-value.ts";

/** `View` is what a client sees of the mesh. */
export interface ClusterNode<View> {
  readonly key: string;
  readonly service: ResourceRef;
  readonly host: string;
  readonly port: number;
  readonly tls: ClientTls | undefined;
  cluster: OutboundCluster;
  readonly views: Set<View>;
  /** Those that lead to it, so that views share them. */
  readonly routes: OutboundRoute[];
}

/** Others are not shared: nobody has so many ports for one cluster. */
const routesMax = 16;

export type DecideCluster = (called: CalledPort, tls: ClientTls | undefined) => OutboundCluster;

export class ClusterNodes<View extends object> {
  readonly #decide: DecideCluster;
  readonly #byKey = new Map<string, ClusterNode<View>>();
  readonly #services = new MultiMap<string, ClusterNode<View>>();

  constructor(decide: DecideCluster) {
    this.#decide = decide;
  }

  /** @param service its `nameKey` */
  ofService(service: string): readonly ClusterNode<View>[] {
    return [...this.#services.of(service)];
  }

  acquire(view: View, called: CalledPort, tls: ClientTls | undefined): ClusterNode<View> {
    const service = called.service.ref;
    const { host } = called;
    const port = called.port.number;
    const said = tls === undefined ? "" : JSON.stringify(tls);
    const key = `${nameKey(service)}|${port}|${host}|${said}`;
    const node: ClusterNode<View> = this.#byKey.get(key) ?? {
      key,
      service,
      host,
      port,
      tls,
      cluster: this.#decide(called, tls),
      views: new Set(),
      routes: [],
    };
    this.#byKey.set(key, node);
    this.#services.add(nameKey(service), node);
    node.views.add(view);
    return node;
  }

  release(view: View, node: ClusterNode<View>): void {
    node.views.delete(view);
    if (node.views.size > 0) return;
    this.#byKey.delete(node.key);
    this.#services.delete(nameKey(node.service), node);
  }

  /** @returns whether it is another one now */
  decide(node: ClusterNode<View>, called: CalledPort): boolean {
    const cluster = this.#decide(called, node.tls);
    if (sameValue(cluster, node.cluster)) return false;
    node.cluster = cluster;
    return true;
  }
}

/** One that says the same, if there is one. */
export function sharedRoute(
  { routes }: Pick<ClusterNode<object>, "routes">,
  route: OutboundRoute,
): OutboundRoute {
  const same = routes.find((each) => sameValue(each, route));
  if (same === undefined && routes.length < routesMax) routes.push(route);
  return same ?? route;
}
