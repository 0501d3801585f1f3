/**
 * A KubeConfig of `@kubernetes/client-node` that keeps its connections: as it ships, it opens a new one, with a handshake, for each
 * request, which is three times slower for TokenReviews.
 */

import { Health, KubeConfig, type RequestContext } from "@kubernetes/client-node";
import type { ClusterPki } from "./pki.ts";

type Dispatcher = NonNullable<ReturnType<RequestContext["getDispatcher"]>>;

export class PooledKubeConfig extends KubeConfig implements AsyncDisposable {
  #pool: Dispatcher | undefined;

  override async applySecurityAuthentication(context: RequestContext): Promise<void> {
    await super.applySecurityAuthentication(context);
    // A new one each time; without a request it has no connection.
    this.#pool ??= context.getDispatcher();
    if (this.#pool !== undefined) context.setDispatcher(this.#pool);
  }

  /** Ends what is under way, watches too. A request after it opens new connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pool = this.#pool;
    this.#pool = undefined;
    await pool?.destroy();
  }
}

export interface ClusterAccess {
  readonly url: string;
  readonly caPem: string;
}

/** Who asks: by certificate, or by token. */
export interface KubeUser {
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly token?: string;
  readonly impersonate?: string;
}

export function pooledConfig(
  { url, caPem }: ClusterAccess,
  { certPem, keyPem, token, impersonate }: KubeUser,
): PooledKubeConfig {
  const config = new PooledKubeConfig();
  const user = {
    name: "user",
    ...(certPem !== undefined && { certData: base64(certPem) }),
    ...(keyPem !== undefined && { keyData: base64(keyPem) }),
    ...(token !== undefined && { token }),
    ...(impersonate !== undefined && { impersonateUser: impersonate }),
  };
  const cluster = { name: "cluster", server: url, caData: base64(caPem), skipTLSVerify: false };
  config.loadFromClusterAndUser(cluster, user);
  return config;
}

/** @param impersonate as whom it asks; a service account's groups come with its name */
export function adminConfig(pki: ClusterPki, url: string, impersonate?: string): PooledKubeConfig {
  const { caPem, adminCertPem: certPem, adminKeyPem: keyPem } = pki;
  const user = { certPem, keyPem, ...(impersonate !== undefined && { impersonate }) };
  return pooledConfig({ url, caPem }, user);
}

/** `/readyz`, with a second for it. */
export async function isReady(config: PooledKubeConfig): Promise<boolean> {
  return new Health(config).readyz({ signal: AbortSignal.timeout(1_000) }).catch(() => false);
}

function base64(pem: string): string {
  return Buffer.from(pem).toString("base64");
}
