/**
 * A Kubernetes cluster as far as a control plane sees one: the real API server on etcd, on loopback, without a node. A start costs about 4 s
 * and 320 MB: one for a test file, and namespaces of their own for its tests.
 */

import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { kubeconfigAccess } from "../../src/edge/kube/kubeconfig-access.ts";
import { kubeAssets } from "./assets.ts";
import { applyCrds } from "./crds.ts";
import { Guard } from "./guard.ts";
import type { KubeFlags, KubeProcess } from "./kube-process.ts";
import { ClusterObjects } from "./objects.ts";
import { makePki } from "./pki.ts";
import {
  adminConfig,
  pooledConfig,
  type KubeUser,
  type PooledKubeConfig,
} from "./pooled-config.ts";
import {
  kubeAudiences,
  startApiServer,
  startEtcd,
  startOnFreePort,
  waitUntilReady,
  type ReadyServer,
  type ServerOptions,
} from "./servers.ts";

export interface ClusterOptions {
  /** Of TokenReviews that name none; tokens have the first. */
  readonly audiences?: readonly string[];
  /** Of kube-apiserver, over those that it has here. */
  readonly flags?: KubeFlags;
}

/** @throws KubeTestError with what to do, or with what the API server has said */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const assets = await kubeAssets();
  const directory = await mkdtemp(join(tmpdir(), "portcullis-kube-"));
  const guard = new Guard(directory);
  try {
    const pki = await makePki(directory);
    const { audiences = kubeAudiences, flags = {} } = options;
    const servers: ServerOptions = { directory, assets, guard, pki, audiences, flags };
    const etcd = await startEtcd(servers);
    const ready = await startOnFreePort(servers);
    await writeFile(kubeconfigPath(servers), ready.admin.exportConfig(), { mode: 0o600 });
    return new Cluster(servers, etcd, ready);
  } catch (error) {
    await guard[Symbol.asyncDispose]();
    throw error;
  }
}

export class Cluster extends ClusterObjects implements AsyncDisposable {
  readonly url: string;
  readonly caPem: string;
  readonly adminKubeconfig: string;
  readonly version: string;
  readonly #servers: ServerOptions;
  readonly #admin: PooledKubeConfig;
  readonly #configs: PooledKubeConfig[];
  readonly #connections = new DisposableStack();
  readonly #etcd: KubeProcess;
  readonly #port: number;
  #apiServer: KubeProcess;

  constructor(
    servers: ServerOptions,
    etcd: KubeProcess,
    { server, port, url, admin }: ReadyServer,
  ) {
    super(admin);
    this.url = url;
    this.caPem = servers.pki.caPem;
    this.adminKubeconfig = kubeconfigPath(servers);
    this.version = servers.assets.version;
    this.#servers = servers;
    this.#admin = admin;
    this.#configs = [admin];
    this.#etcd = etcd;
    this.#port = port;
    this.#apiServer = server;
  }

  /** One pool of connections each, closed with the cluster. @param user @default the admin */
  kubeConfig(user?: Pick<KubeUser, "token" | "impersonate">): PooledKubeConfig {
    if (user === undefined) return this.#admin;
    const { token } = user;
    const config =
      token === undefined
        ? adminConfig(this.#servers.pki, this.url, user.impersonate)
        : pooledConfig(this, { token });
    this.#configs.push(config);
    return config;
  }

  /** The admin's, as a server or an operator of ours has one; closed with the cluster. */
  async connection(): Promise<KubeConnection> {
    const access = await kubeconfigAccess({ path: this.adminKubeconfig });
    return this.#connections.use(new KubeConnection({ access }));
  }

  /** The key of the tokens' issuer: to make what no API server would give, such as one that has expired. */
  get tokenKeyPem(): string {
    return this.#servers.pki.tokenKeyPem;
  }

  /** Resolves when each served version has been listed. @param directory with *.yaml */
  async applyCrds(directory: string): Promise<void> {
    await applyCrds(this.#admin, directory);
  }

  /** The API server, on the same port and etcd; also after `kill`. @param flags over those that it began with, this once */
  async restart(flags: KubeFlags = {}): Promise<void> {
    await this.#apiServer.stop();
    const servers = { ...this.#servers, flags: { ...this.#servers.flags, ...flags } };
    this.#apiServer = await startApiServer(servers, this.#port);
    await waitUntilReady(this.#apiServer, this.#admin);
  }

  /** The API server, until `restart`. */
  async kill(): Promise<void> {
    await this.#apiServer.kill();
  }

  /** The API server takes connections and answers none. */
  freeze(): void {
    this.#apiServer.freeze();
  }

  thaw(): void {
    this.#apiServer.thaw();
  }

  /** CPU of each since its own start, in ms. Linux only. */
  cpuMs(): { readonly apiServer: number; readonly etcd: number } {
    return { apiServer: this.#apiServer.cpuMs(), etcd: this.#etcd.cpuMs() };
  }

  /** Leaves no process and no file. */
  async stop(): Promise<void> {
    this.#connections.dispose();
    await Promise.all(this.#configs.map(async (config) => config[Symbol.asyncDispose]()));
    await this.#apiServer.stop();
    await this.#etcd.stop();
    await this.#servers.guard[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

function kubeconfigPath({ directory }: ServerOptions): string {
  return join(directory, "admin.kubeconfig");
}
