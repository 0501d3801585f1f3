/** A server process in a test cluster, with the rights that the chart gives and no more, and what it says to callers by the wire. */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { readEndpoints } from "../../src/edge/config/endpoints.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { fetchStatus } from "../../src/edge/rpc/admin-client.ts";
import type { GetStatusResponse } from "../../src/gen/portcullis/admin/v1/admin_pb.ts";
import { apply } from "../deploy/apply.ts";
import { dialWire, sign, type SigningReply, type WireConnection } from "../server/grpc-wire.ts";
import { ServerProcess } from "../support/server-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { Workload } from "./cluster-callers.ts";
import type { Cluster } from "./cluster.ts";
import type { PodOptions } from "./objects.ts";
import { pooledConfig } from "./pooled-config.ts";

export const ourAccount = { namespace: "portcullis-system", name: "portcullis" } as const;
const audience = "istio-ca";
const root = join(import.meta.dirname, "../..");
const rightsKinds = /^(?:ServiceAccount|(?:Cluster)?Role(?:Binding)?)$/;

export interface ServerRigOptions {
  /** Over a kubeconfig with a token of our account. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  /** Where the kubeconfig says that the API server is. @default where it is */
  readonly url?: string;
}

/** Account and roles of the plain manifests, in a namespace that takes a test's pods. Once for a cluster. */
export async function applyRights(cluster: Cluster): Promise<void> {
  await cluster.applyCrds(join(root, "deploy/kubernetes/crds"));
  const access = await kubeconfigAccess({ path: cluster.adminKubeconfig });
  using connection = new KubeConnection({ access });
  const metadata = { name: ourAccount.namespace };
  await apply(connection, { apiVersion: "v1", kind: "Namespace", metadata }, false);
  for (const file of ["portcullis.yaml", "trust-secret.yaml"]) {
    const text = readFileSync(join(root, "deploy/kubernetes", file), "utf8");
    for (const document of parseAllDocuments(text)) {
      const manifest = document.toJS();
      if (rightsKinds.test(manifest?.kind)) await apply(connection, manifest, false);
    }
  }
}

export class ServerRig implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly server: ServerProcess;
  readonly #owned: AsyncDisposableStack;
  /** Each for at most 100 calls at once. */
  #wires: readonly WireConnection[] = [];
  #calls = 0;

  /** Resolves when it is ready. */
  static async start(cluster: Cluster, options: ServerRigOptions = {}): Promise<ServerRig> {
    await using owned = new AsyncDisposableStack();
    const directory = owned.use(temporaryDirectory()).path;
    const kubeconfig = join(directory, "kubeconfig");
    const token = await cluster.tokenOf(ourAccount, { seconds: 3_600 });
    const { url = cluster.url, flags = {}, env = {} } = options;
    const config = pooledConfig({ url, caPem: cluster.caPem }, { token });
    writeFileSync(kubeconfig, config.exportConfig(), { mode: 0o600 });
    const server = owned.use(
      await ServerProcess.create({
        dataDir: join(directory, "server"),
        flags: { kubernetes: kubeconfig, "kube-namespace": ourAccount.namespace, ...flags },
        isInCluster: true,
        env,
      }),
    );
    await server.start();
    const rig = new ServerRig(cluster, server, owned.move());
    rig.dial();
    return rig;
  }

  private constructor(cluster: Cluster, server: ServerProcess, owned: AsyncDisposableStack) {
    this.cluster = cluster;
    this.server = server;
    this.#owned = owned;
  }

  /** Again after the server was started again. */
  dial(): void {
    const { address, rootPem } = this.server;
    this.#wires = Array.from({ length: 16 }, () => dialWire({ address, rootPem }));
    for (const wire of this.#wires) this.#owned.use(wire);
  }

  async workload(options: PodOptions = {}, namespace?: string): Promise<Workload> {
    const place = namespace ?? (await this.cluster.namespace("calls"));
    const account = await this.cluster.serviceAccount(place, `cart-${this.#calls++}`);
    const pod = await this.cluster.pod(account, { ip: "127.0.0.1", ...options });
    const token = await this.cluster.tokenOf(account, { pod, audience });
    const id = `spiffe://cluster.local/ns/${place}/sa/${account.name}`;
    return { account, pod, token, id };
  }

  async call(token: string): Promise<SigningReply> {
    const wire = this.#wires[this.#calls++ % this.#wires.length];
    if (wire === undefined) throw new RangeError("expected a connection");
    return await sign(wire, { authorization: `Bearer ${token}` });
  }

  /** @returns the gRPC code */
  async ask(token: string): Promise<number> {
    return (await this.call(token)).code;
  }

  async status(): Promise<NonNullable<GetStatusResponse["kube"]>> {
    const { kube } = await fetchStatus(this.server.admin);
    if (kube === undefined) throw new TypeError("expected a server in a cluster");
    return kube;
  }

  async metric(sample: string): Promise<number> {
    const { metrics } = await readEndpoints(this.server.dataDir);
    const text = await (await fetch(`${metrics}/metrics`)).text();
    const line = text.split("\n").find((each) => each.startsWith(`${sample} `));
    return line === undefined ? 0 : Number(line.slice(sample.length + 1));
  }

  /** Resident, now. Linux only. */
  async memoryMiB(): Promise<number> {
    const { pid } = await readEndpoints(this.server.dataDir);
    const kib = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return Number(kib) / 1_024;
  }

  /** Lines of the log as it was written. */
  logOf(event: string): readonly Record<string, unknown>[] {
    return this.server.log
      .filter((line) => line.includes(`"${event}"`))
      .map((line) => JSON.parse(line))
      .filter((line) => line.event === event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
