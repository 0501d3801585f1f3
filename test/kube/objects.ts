/** What tests put into a cluster, with a line each: namespaces, service accounts, nodes, pods and their tokens. */

import { randomBytes } from "node:crypto";
import { CoreV1Api, type KubernetesObject, type V1Pod } from "@kubernetes/client-node";
import type { PooledKubeConfig } from "./pooled-config.ts";

export interface ObjectName {
  /** "" for what has none. */
  readonly namespace: string;
  readonly name: string;
}

export interface ObjectRef extends ObjectName {
  readonly uid: string;
}

export interface PodRef extends ObjectRef {
  readonly serviceAccount: string;
}

export interface PodOptions {
  /** By an object of that name, if the pod's tokens shall name it. Without a node, a deleted pod is gone at once. */
  readonly node?: string;
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** As its kubelet would report it when it runs and is ready. */
  readonly ip?: string;
}

export interface TokenOptions {
  /** By UID, too. */
  readonly pod?: PodRef;
  /** @default the API server's own first audience */
  readonly audience?: string;
  /** The API server gives 600 at least. */
  readonly seconds?: number;
}

export class ClusterObjects {
  readonly #core: CoreV1Api;

  constructor(config: PooledKubeConfig) {
    this.#core = config.makeApiClient(CoreV1Api);
  }

  /** A new one of its own: none is ever deleted wholly without the controller manager. @returns its name */
  async namespace(prefix: string): Promise<string> {
    const name = unique(prefix);
    await this.#core.createNamespace({ body: { metadata: { name } } });
    return name;
  }

  /** Also `default`, which no controller makes here. */
  async serviceAccount(namespace: string, name: string): Promise<ObjectRef> {
    const body = { metadata: { name } };
    return refOf(await this.#core.createNamespacedServiceAccount({ namespace, body }));
  }

  async deleteServiceAccount({ namespace, name }: ObjectName): Promise<void> {
    await this.#core.deleteNamespacedServiceAccount({ namespace, name });
  }

  async node(prefix: string): Promise<ObjectRef> {
    return refOf(await this.#core.createNode({ body: { metadata: { name: unique(prefix) } } }));
  }

  async pod(
    { namespace, name: serviceAccount }: ObjectName,
    options: PodOptions = {},
  ): Promise<PodRef> {
    const { node, labels, ip, name = unique("pod") } = options;
    const body: V1Pod = {
      metadata: { name, ...(labels !== undefined && { labels: { ...labels } }) },
      spec: {
        serviceAccountName: serviceAccount,
        containers: [{ name: "app", image: "none" }],
        ...(node !== undefined && { nodeName: node }),
      },
    };
    const made = await this.#core.createNamespacedPod({ namespace, body });
    if (ip !== undefined) {
      const conditions = [{ type: "Ready", status: "True" }];
      const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
      const body = Object.assign(made, { status });
      await this.#core.replaceNamespacedPodStatus({ namespace, name, body });
    }
    return { ...refOf(made), serviceAccount };
  }

  /** At once: without a kubelet, nobody ends its grace period. */
  async deletePod({ namespace, name }: ObjectName): Promise<void> {
    await this.#core.deleteNamespacedPod({ namespace, name, gracePeriodSeconds: 0 });
  }

  /** A real one, by TokenRequest. */
  async tokenOf({ namespace, name }: ObjectName, options: TokenOptions = {}): Promise<string> {
    const { pod, audience, seconds = 600 } = options;
    const bound = pod && { kind: "Pod", apiVersion: "v1", name: pod.name, uid: pod.uid };
    const { status } = await this.#core.createNamespacedServiceAccountToken({
      namespace,
      name,
      body: {
        spec: {
          audiences: audience === undefined ? [] : [audience],
          expirationSeconds: seconds,
          ...(bound && { boundObjectRef: bound }),
        },
      },
    });
    return status?.token ?? "";
  }
}

function unique(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}

function refOf({ metadata }: KubernetesObject): ObjectRef {
  const { namespace = "", name = "", uid = "" } = metadata ?? {};
  return { namespace, name, uid };
}
