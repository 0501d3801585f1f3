/**
 * An API server by a kubeconfig, as operators have them: with certificates, tokens, `exec` plug-ins or OIDC, all of which are the
 * library's. It is loaded only here and only then, because it costs 85 MiB and a second; a server in a cluster needs none of it, and no
 * request goes through it.
 */

import { KubeError } from "./kube-error.ts";
import { assertSafeServer, type KubeAccess, type KubeCredentials } from "./kube-access.ts";

export interface KubeconfigPlace {
  readonly path: string;
  /** Others, whose contexts are known, too; what the first says goes before. */
  readonly more?: readonly string[];
  /** @default the file's current one */
  readonly context?: string | undefined;
}

/** @throws KubeError `kube-config` */
export async function kubeconfigAccess({
  path,
  more = [],
  context,
}: KubeconfigPlace): Promise<KubeAccess> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const read = (file: string): InstanceType<typeof KubeConfig> => {
    const each = new KubeConfig();
    try {
      each.loadFromFile(file);
    } catch (cause) {
      throw unusable(`cannot read ${file}: ${reasonOf(cause)}`, cause, {
        hint: "name another by --kubeconfig FILE, or by the variable KUBECONFIG",
      });
    }
    return each;
  };
  const config = read(path);
  // The library takes any YAML for one that says nothing.
  if (config.getClusters().length + config.getContexts().length === 0) {
    throw unusable(`${path}: expected a kubeconfig, got a file without clusters and contexts`);
  }
  for (const file of more) config.mergeConfig(read(file), true);
  if (context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw unusable(`${path}: expected a context of ${known.join(", ")}, got ${context ?? "none"}`);
  }
  if (cluster.skipTLSVerify) {
    throw unusable(`${path}: cluster ${cluster.name} is insecure-skip-tls-verify`, undefined, {
      hint: "whoever answers in its place would say who is who: write its certificate-authority",
    });
  }
  if (cluster.proxyUrl) throw unusable(`${path}: cluster ${cluster.name} has a proxy-url`);
  return {
    server: assertSafeServer(cluster.server),
    credentials: async () => credentialsOf(config, path),
  };
}

/** What the library would put into a request of its own. */
interface Applied {
  headers?: Record<string, unknown>;
  ca?: unknown;
  cert?: unknown;
  key?: unknown;
  servername?: string;
  auth?: string;
}

async function credentialsOf(
  config: { applyToHTTPSOptions(options: Applied): Promise<void> },
  path: string,
): Promise<KubeCredentials> {
  const applied: Applied = {};
  try {
    await config.applyToHTTPSOptions(applied);
  } catch (cause) {
    throw unusable(`${path}: ${reasonOf(cause)}`, cause);
  }
  const { ca, cert, key, servername, auth } = applied;
  const basic = auth === undefined ? {} : { authorization: `Basic ${btoa(auth)}` };
  const headers = Object.entries(applied.headers ?? {}).flatMap(([name, value]) =>
    typeof value === "string" ? [[name.toLowerCase(), value]] : [],
  );
  return {
    headers: { ...basic, ...Object.fromEntries(headers) },
    tls: { ca: pemOf(ca), cert: pemOf(cert), key: pemOf(key), serverName: servername },
  };
}

function pemOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return value instanceof Uint8Array ? Buffer.from(value).toString("utf8") : undefined;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message.trim() : String(cause);
}

function unusable(message: string, cause?: unknown, options: { hint?: string } = {}): KubeError {
  return new KubeError("kube-config", message, { cause, ...options });
}
