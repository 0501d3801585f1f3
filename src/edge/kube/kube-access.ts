/** Where an API server is, and as whom we ask it. Files of credentials are rotated under us, so both are asked for again and again. */

import { isAbsolute, join } from "node:path";
import { PrivateFileError, readBoundedFile } from "../config/private-files.ts";
import { KubeError } from "./kube-error.ts";

export interface KubeCredentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: KubeTls;
}

/** PEM. */
export interface KubeTls {
  /** Undefined: the roots of the runtime. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** In the place of the server's own host name. */
  readonly serverName?: string | undefined;
}

export interface KubeAccess {
  /** `https`; `http` on this machine alone. */
  readonly server: URL;
  /** @throws KubeError `kube-config` */
  credentials(): Promise<KubeCredentials>;
}

export interface InClusterPlace {
  readonly host: string;
  readonly port: string;
  /** With `token` and `ca.crt`. */
  readonly directory: string;
}

const defaultDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";
const fileBytesMax = 1_048_576;

/** @returns undefined outside of a pod */
export function inClusterPlace(
  env: Readonly<Record<string, string | undefined>>,
  directory: string = defaultDirectory,
): InClusterPlace | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  return host && port ? { host, port, directory } : undefined;
}

/** By the service account of our own pod. @throws KubeError `kube-config` */
export function inClusterAccess({ host, port, directory }: InClusterPlace): KubeAccess {
  const name = host.includes(":") ? `[${host}]` : host;
  const server = assertSafeServer(`https://${name}:${port}`);
  const read = async (file: string): Promise<string> => readText(join(directory, file));
  return {
    server,
    credentials: async () => {
      const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
      return { headers: { authorization: `Bearer ${token.trim()}` }, tls: { ca } };
    },
  };
}

/** What it says decides whom the whole mesh believes. @throws KubeError `kube-config` */
export function assertSafeServer(text: string): URL {
  const server = URL.parse(text);
  if (server === null) {
    throw new KubeError(
      "kube-config",
      `expected the API server's URL, got ${JSON.stringify(text)}`,
    );
  }
  if (server.protocol === "https:") return server;
  if (server.protocol === "http:" && loopback.has(server.hostname)) return server;
  throw new KubeError("kube-config", `expected https, got ${server.origin}`, {
    hint: "plain http is for addresses of this machine only",
  });
}

const loopback: ReadonlySet<string> = new Set(["127.0.0.1", "[::1]", "localhost"]);

async function readText(path: string): Promise<string> {
  if (!isAbsolute(path))
    throw new KubeError("kube-config", `expected an absolute path, got ${path}`);
  try {
    return Buffer.from(await readBoundedFile(path, fileBytesMax)).toString("utf8");
  } catch (cause) {
    if (!(cause instanceof PrivateFileError)) throw cause;
    throw new KubeError("kube-config", `cannot read ${cause.message}`, {
      cause,
      hint: "a pod has it unless automountServiceAccountToken is false",
    });
  }
}
