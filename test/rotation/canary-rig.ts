/** A server with a Sidecar in its directory of resources, and the agent of its workload: who listens, the test says. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Laggard, RootStatus } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { changeRoot, fetchRootStatus } from "../../src/edge/rpc/root-client.ts";
import { TestAgent } from "../support/agent.ts";
import { mint, startControlPlane, type TestControlPlane } from "../support/control-plane.ts";
import { freePort } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

export const trustDomain: string = "td.test";
export const workloadId: string = `spiffe://${trustDomain}/ns/shop/sa/cart`;
export const proxyId = "cart-1";
export const proxyLaggard: string = `proxy/${proxyId}@${workloadId}`;

const nodeId = SpiffeId.parse(`spiffe://${trustDomain}/ns/mesh/sa/node-agent`);

function nodeToken(): string {
  const account = { name: "node-agent", uid: "sa-node" };
  const binding = { namespace: "mesh", serviceaccount: account, pod: { name: "n", uid: "pod-n" } };
  return mint({ sub: "system:serviceaccount:mesh:node-agent", "kubernetes.io": binding });
}

export class CanaryRig implements AsyncDisposable {
  readonly server: TestControlPlane;
  readonly directory: string;
  /** Of the inbound listener, on 127.0.0.1. */
  readonly port: number;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    server: TestControlPlane,
    directory: string,
    port: number,
    owned: AsyncDisposableStack,
  ) {
    this.server = server;
    this.directory = directory;
    this.port = port;
    this.#owned = owned;
  }

  static async open(): Promise<CanaryRig> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const port = await freePort();
    const resources = join(directory, "resources");
    mkdirSync(resources);
    writeFileSync(join(resources, "mesh.yaml"), manifests(port));
    const flags = { "trust-domain": trustDomain, resources, "node-agent": nodeId.toString() };
    const server = owned.use(await startControlPlane({ flags }));
    return new CanaryRig(server, directory, port, owned.move());
  }

  /** @param isNode for the workload's node, under an identity of its own */
  async agent(isNode = false): Promise<TestAgent> {
    const { address: server, rootPem: serverRoot } = this.server;
    const directory = join(this.directory, "agent");
    mkdirSync(directory);
    const own = isNode ? { token: nodeToken(), nodeIdentity: nodeId } : { token: mint() };
    const agent = await TestAgent.start({ directory, server, serverRoot, ...own });
    this.#owned.use(agent);
    await agent.untilCount("certificate-received", 1);
    return agent;
  }

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#owned.use(resource);
  }

  async change(kind: "activate" | "abort" | "prepare"): Promise<{ readonly refused?: string }> {
    const command = kind === "prepare" ? ({ kind, source: {} } as const) : { kind };
    const { admin } = this.server.controlPlane.endpoints;
    const { result } = await changeRoot(admin, { command, operator: "ada", dryRun: false });
    return result.case === "refused" ? { refused: result.value.code } : {};
  }

  async status(): Promise<RootStatus> {
    return await fetchRootStatus(this.server.controlPlane.endpoints.admin, 20);
  }

  async laggards(): Promise<readonly Laggard[]> {
    return (await this.status()).verifiers?.laggards ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** YAML, since JSON is. */
function manifests(port: number): string {
  const entry = { address: "127.0.0.1", labels: { app: "cart" }, serviceAccount: "cart" };
  const ingress = {
    port: { number: port, name: "http", protocol: "HTTP" },
    defaultEndpoint: "127.0.0.1:1",
  };
  const sidecar = {
    workloadSelector: { labels: { app: "cart" } },
    ingress: [ingress],
    egress: [{ hosts: ["~/*"] }],
  };
  return [
    { kind: "WorkloadEntry", metadata: { namespace: "shop", name: proxyId }, spec: entry },
    { kind: "Sidecar", metadata: { namespace: "shop", name: "cart" }, spec: sidecar },
  ]
    .map((each) => JSON.stringify({ apiVersion: "networking.istio.io/v1", ...each }))
    .join("\n---\n");
}
