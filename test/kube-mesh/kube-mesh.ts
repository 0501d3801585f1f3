/**
 * A mesh in a cluster: a real API server that knows pods, services and policies, a server of ours that watches it, and for each pod an agent
 * with the pod's own token and an Envoy. The kubelet's part (a pod's address, its token) is the test's.
 */

import { join } from "node:path";
import { freePorts } from "../../src/app/demo/ports.ts";
import { MeshAgent } from "../../src/app/demo/mesh/mesh-agent.ts";
import { Operator } from "../flip-mesh/operator.ts";
import { startCluster, type Cluster } from "../kube/cluster.ts";
import type { PodRef } from "../kube/objects.ts";
import { httpApp } from "../policy-mesh/apps.ts";
import { EnvoyMember } from "../policy-mesh/envoy-member.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { applyObject, createService } from "./custom-objects.ts";

export interface KubePorts {
  /** Of the pods. */
  readonly api: number;
  readonly app: number;
  /** Where the client listens for its own application. */
  readonly call: number;
}

export interface KubeMeshOptions {
  /** Of the server, over those that it has here. */
  readonly flags: Readonly<Record<string, string>>;
  /** How many pods are called. */
  readonly apis: number;
}

interface Pod {
  readonly ref: PodRef;
  readonly address: string;
}

/** Of connections that a port takes no more: less than an operator's Envoys have. */
const drainSeconds = 4;
const tlsMode = { "security.istio.io/tlsMode": "istio" };

export class KubeMesh implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly server: ServerProcess;
  readonly operator: Operator;
  readonly ports: KubePorts;
  /** Where who is called runs, and who calls. */
  readonly shop: string;
  readonly web: string;
  readonly apis: Pod[] = [];
  client: Pod | undefined;
  readonly #directory: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: Parts, owned: AsyncDisposableStack) {
    this.cluster = parts.cluster;
    this.server = parts.server;
    this.operator = new Operator(parts.server.admin);
    this.ports = parts.ports;
    this.shop = parts.shop;
    this.web = parts.web;
    this.#directory = parts.directory;
    this.#owned = owned;
  }

  /** Resolves when every Envoy has what it is to do. */
  static async open({ flags, apis }: KubeMeshOptions): Promise<KubeMesh> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const cluster = owned.use(await startCluster());
    await cluster.applyCrds("deploy/kubernetes/crds");
    const [shop, web] = [await cluster.namespace("shop"), await cluster.namespace("web")];
    const { port: app } = await httpApp(owned);
    const [api = 0, call = 0] = await freePorts(2, Math.random);
    const ports = { api, app, call };
    const server = owned.use(
      await ServerProcess.create({
        dataDir: join(directory, "server"),
        isInCluster: true,
        flags: { kubernetes: cluster.adminKubeconfig, ...flags },
      }),
    );
    await server.start();
    const mesh = new KubeMesh({ cluster, server, ports, shop, web, directory }, owned.move());
    try {
      await mesh.#fill(apis);
      return mesh;
    } catch (error) {
      await mesh[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The name of the service in the mesh. */
  get host(): string {
    return `api.${this.shop}.svc.cluster.local`;
  }

  async setMode(mode: string): Promise<void> {
    const spec = { selector: { matchLabels: { app: "api" } }, mtls: { mode } };
    const object = { kind: "PeerAuthentication", namespace: this.shop, name: "api" } as const;
    await applyObject(this.cluster, { ...object, spec });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }

  async #fill(apis: number): Promise<void> {
    const { cluster, shop, web, ports } = this;
    await cluster.serviceAccount(shop, "api");
    await cluster.serviceAccount(web, "web");
    await createService(cluster, shop, "api", ports.api);
    await this.setMode("PERMISSIVE");
    const ingressPort = { number: ports.api, name: "http", protocol: "HTTP" };
    const ingress = [{ port: ingressPort, defaultEndpoint: `127.0.0.1:${ports.app}` }];
    await this.#sidecar(shop, "api", { ingress, egress: [{ hosts: ["~/*"] }] });
    const egressPort = { number: ports.call, name: "calls", protocol: "HTTP" };
    const bind = "127.3.1.1";
    const hosts = [`${shop}/${this.host}`];
    await this.#sidecar(web, "web", { egress: [{ port: egressPort, bind, hosts }] });
    for (let at = 0; at < apis; at++) {
      this.apis.push(await this.#join(shop, "api", `api-${at}`, `127.3.0.${at + 1}`));
    }
    this.client = await this.#join(web, "web", "web-0", bind);
  }

  async #sidecar(namespace: string, app: string, spec: object): Promise<void> {
    const workloadSelector = { labels: { app } };
    const object = { kind: "Sidecar", namespace, name: app } as const;
    await applyObject(this.cluster, { ...object, spec: { workloadSelector, ...spec } });
  }

  /** A pod with a proxy. Resolves when that has all of its listeners. */
  async #join(namespace: string, account: string, name: string, ip: string): Promise<Pod> {
    const labels = { app: account, ...tlsMode };
    const of = { namespace, name: account };
    const ref = await this.cluster.pod(of, { name, labels, ip });
    const token = await this.cluster.tokenOf(of, { pod: ref, audience: "istio-ca" });
    const agent = this.#owned.use(
      await MeshAgent.start({
        name,
        directory: join(this.#directory, `agent-${name}`),
        server: this.server.address,
        serverRootFile: this.server.rootFile,
        token,
        onLost: (error) => process.emitWarning(error),
      }),
    );
    const envoy = this.#owned.use(
      await EnvoyMember.start({
        name,
        directory: join(this.#directory, `envoy-${name}`),
        sdsSocketPath: agent.sdsSocketPath,
        sdsCredential: { kind: "none" },
        variant: "delta",
        drainSeconds,
      }),
    );
    await envoy.live(60_000);
    return { ref, address: ip };
  }
}

interface Parts {
  readonly cluster: Cluster;
  readonly server: ServerProcess;
  readonly ports: KubePorts;
  readonly shop: string;
  readonly web: string;
  readonly directory: string;
}
