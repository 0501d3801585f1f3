/** How etcd and kube-apiserver are started for tests: on loopback, with RBAC, and without what a disk would cost. */

import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { freePorts } from "../../src/app/demo/ports.ts";
import type { KubeAssets } from "./assets.ts";
import type { Guard } from "./guard.ts";
import { KubeTestError } from "./kube-error.ts";
import { KubeProcess, type KubeFlags } from "./kube-process.ts";
import type { ClusterPki } from "./pki.ts";
import { adminConfig, isReady, type PooledKubeConfig } from "./pooled-config.ts";

export interface ServerOptions {
  readonly directory: string;
  readonly assets: KubeAssets;
  readonly guard: Guard;
  readonly pki: ClusterPki;
  readonly audiences: readonly string[];
  /** Over the API server's own. */
  readonly flags: KubeFlags;
}

export const serviceAccountIssuer: string = "https://kubernetes.default.svc.cluster.local";

/** The issuer's own, Istio's, and that of our admin API. */
export const kubeAudiences: readonly string[] = [
  serviceAccountIssuer,
  "istio-ca",
  "portcullis-admin",
];

/** Two cores that others use, too. */
const readyTimeoutMs = 60_000;
const portAttempts = 5;

/** Listens on a socket in the directory: no port that somebody else might take. */
export async function startEtcd({ directory, assets, guard }: ServerOptions): Promise<KubeProcess> {
  const socket = etcdSocket(directory);
  const etcd = await KubeProcess.start({
    binary: assets.etcd,
    flags: {
      "data-dir": join(directory, "etcd"),
      "listen-client-urls": `unix://${socket}`,
      "advertise-client-urls": `unix://${socket}`,
      "listen-peer-urls": "http://127.0.0.1:0",
      // A crash of the machine loses a test's objects.
      "unsafe-no-fsync": "true",
    },
    logPath: join(directory, "etcd.log"),
    guard,
  });
  await etcd.waitUntil(async () => answers(socket), readyTimeoutMs);
  return etcd;
}

/** Started, not yet ready; on the same port again after its end. */
export async function startApiServer(options: ServerOptions, port: number): Promise<KubeProcess> {
  const { directory, assets, guard, pki, audiences, flags } = options;
  return KubeProcess.start({
    binary: assets.apiServer,
    flags: {
      "etcd-servers": `unix://${etcdSocket(directory)}`,
      "bind-address": "127.0.0.1",
      "secure-port": `${port}`,
      // Without it, the address of another interface would stand in `kubernetes.default`.
      "endpoint-reconciler-type": "none",
      // The default lets everybody do everything.
      "authorization-mode": "Node,RBAC",
      "client-ca-file": pki.caFile,
      "tls-cert-file": pki.serverCert,
      "tls-private-key-file": pki.serverKey,
      "service-account-issuer": serviceAccountIssuer,
      "service-account-jwks-uri": `https://127.0.0.1:${port}/openid/v1/jwks`,
      "service-account-signing-key-file": pki.tokenKeyFile,
      "service-account-key-file": pki.tokenKeyFile,
      // A token says when it ends, and not a year later.
      "service-account-extend-token-expiration": "false",
      "api-audiences": audiences.join(","),
      ...flags,
    },
    logPath: join(directory, "kube-apiserver.log"),
    guard,
  });
}

export interface ReadyServer {
  readonly server: KubeProcess;
  readonly port: number;
  readonly url: string;
  /** Who may do everything. */
  readonly admin: PooledKubeConfig;
}

/** On a free port: should somebody take it first, on another one. */
export async function startOnFreePort(options: ServerOptions): Promise<ReadyServer> {
  for (let attempt = 1; ; attempt += 1) {
    const [port = 0] = await freePorts(1, Math.random);
    const url = `https://127.0.0.1:${port}`;
    const admin = adminConfig(options.pki, url);
    const server = await startApiServer(options, port);
    try {
      await waitUntilReady(server, admin);
      return { server, port, url, admin };
    } catch (error) {
      await server.kill();
      const isTaken =
        error instanceof KubeTestError && error.message.includes("address already in use");
      if (!isTaken || attempt === portAttempts) throw error;
    }
  }
}

export async function waitUntilReady(server: KubeProcess, admin: PooledKubeConfig): Promise<void> {
  await server.waitUntil(async () => isReady(admin), readyTimeoutMs);
}

/** Short: a socket's path has 107 bytes at most. */
function etcdSocket(directory: string): string {
  return join(directory, "e");
}

async function answers(socket: string): Promise<boolean> {
  const connection = connect(socket);
  try {
    await once(connection, "connect");
    return true;
  } catch {
    return false;
  } finally {
    connection.destroy();
  }
}
