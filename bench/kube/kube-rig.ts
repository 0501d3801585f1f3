/** A real API server on etcd, and servers of ours in it, by a service account's token: the API server holds them to its limits. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { startCluster, type Cluster } from "../../test/kube/cluster.ts";
import type { Fixture } from "../fixture.ts";
import { BenchServer } from "../server.ts";

const crds = join(import.meta.dirname, "../../deploy/kubernetes/crds");
const accountFiles = join(import.meta.dirname, "account-files.ts");
/** Longer than a bench. */
export const tokenSeconds = 7_200;

type RigPlace = Pick<Fixture, "directory" | "signal" | "progress">;

export class KubeRig implements AsyncDisposable {
  readonly cluster: Cluster;
  readonly dataDir: string;
  readonly #account: string;
  readonly #signal: AbortSignal;

  static async open({ directory: parent, signal, progress }: RigPlace): Promise<KubeRig> {
    progress("an API server");
    const cluster = await startCluster();
    const directory = join(parent, "kube");
    try {
      await cluster.applyCrds(crds);
      for (const name of ["data", "account"]) {
        await mkdir(join(directory, name), { recursive: true, mode: 0o700 });
      }
      const { namespace, token } = await ourAccount(cluster);
      const files = { namespace, token, "ca.crt": cluster.caPem };
      for (const [name, text] of Object.entries(files)) {
        await writeFile(join(directory, "account", name), text, { mode: 0o600 });
      }
      return new KubeRig(cluster, directory, signal);
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(cluster: Cluster, directory: string, signal: AbortSignal) {
    this.cluster = cluster;
    this.dataDir = join(directory, "data");
    this.#account = join(directory, "account");
    this.#signal = signal;
  }

  get rootFile(): string {
    return join(this.dataDir, "root-cert.pem");
  }

  /** Ready, on the directory of the one before. */
  async start(flags: readonly string[] = []): Promise<BenchServer> {
    const { hostname, port } = new URL(this.cluster.url);
    return await BenchServer.start({
      dataDir: this.dataDir,
      signal: this.#signal,
      flags: ["--kubernetes", "in-cluster", ...flags],
      env: {
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
        PORTCULLIS_BENCH_ACCOUNT: this.#account,
        NODE_OPTIONS: `--import=${accountFiles}`,
      },
    });
  }

  /** Of the API server and etcd, since their start. */
  get apiCpuMicros(): number {
    const { apiServer, etcd } = this.cluster.cpuMs();
    return (apiServer + etcd) * 1_000;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.stop();
  }
}

/** May do everything, but is none of `system:masters`, for whom there are no limits. */
async function ourAccount(cluster: Cluster) {
  const account = await cluster.serviceAccount(await cluster.namespace("ours"), "portcullis");
  const { namespace, name } = account;
  await cluster
    .kubeConfig()
    .makeApiClient(RbacAuthorizationV1Api)
    .createClusterRoleBinding({
      body: {
        metadata: { name: namespace },
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "ClusterRole",
          name: "cluster-admin",
        },
        subjects: [{ kind: "ServiceAccount", namespace, name }],
      },
    });
  return { namespace, token: await cluster.tokenOf(account, { seconds: tokenSeconds }) };
}
