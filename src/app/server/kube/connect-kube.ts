/** The way to the API server that the settings name. */

import type { ServerConfig } from "../../../edge/config/server-config.ts";
import {
  inClusterAccess,
  inClusterPlace,
  type KubeAccess,
} from "../../../edge/kube/kube-access.ts";
import { KubeConnection } from "../../../edge/kube/kube-connection.ts";
import { KubeError } from "../../../edge/kube/kube-error.ts";
import { kubeconfigAccess } from "../../../edge/kube/kubeconfig-access.ts";

type Settings = Pick<ServerConfig, "kubernetes" | "kubeContext">;
type Environment = Readonly<Record<string, string | undefined>>;

/** Asks nobody yet. @throws KubeError `kube-config` */
export async function connectKube(
  settings: Settings,
  env: Environment,
  owned: AsyncDisposableStack,
): Promise<KubeConnection> {
  return owned.use(new KubeConnection({ access: await accessBy(settings, env) }));
}

async function accessBy(
  { kubernetes, kubeContext: context }: Settings,
  env: Environment,
): Promise<KubeAccess> {
  if (kubernetes !== "in-cluster") return await kubeconfigAccess({ path: kubernetes, context });
  const place = inClusterPlace(env);
  if (place !== undefined) return inClusterAccess(place);
  const message =
    "--kubernetes in-cluster: expected to run in a pod, got no KUBERNETES_SERVICE_HOST";
  throw new KubeError("kube-config", message, {
    hint: "elsewhere give the path of a kubeconfig: --kubernetes FILE",
  });
}
