/** The cluster that a server is in, if it is in one: a server in none loads nothing of it. */

import type { ServerConfig } from "../../edge/config/server-config.ts";
import type { KubeConnection } from "../../edge/kube/kube-connection.ts";
import type { Kube } from "./kube/kube.ts";
import type { OpenKubeOptions } from "./kube/open-kube.ts";

/** Asks nobody yet: what stands in the cluster may be needed before anything else is opened. @throws KubeError `kube-config` */
export async function connectToCluster(
  config: ServerConfig,
  owned: AsyncDisposableStack,
): Promise<KubeConnection | undefined> {
  if (config.kubernetes === "off") return undefined;
  const { connectKube } = await import("./kube/connect-kube.ts");
  return await connectKube(config, process.env, owned);
}

/** @param connection undefined where there is none @throws KubeError; StartError */
export async function openCluster(
  connection: KubeConnection | undefined,
  options: Omit<OpenKubeOptions, "connection">,
  owned: AsyncDisposableStack,
): Promise<Kube | undefined> {
  if (connection === undefined) return undefined;
  const { openKube } = await import("./kube/open-kube.ts");
  return await openKube({ ...options, connection }, owned);
}
