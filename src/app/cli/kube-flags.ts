/** A server in a cluster, by a kubeconfig: which one is meant, and as whom. */

import { access } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { isDnsLabel, isDnsSubdomain } from "../../core/identity/service-account.ts";
import type { Environment } from "../../edge/config/paths.ts";
import type { RootsPlace } from "../../edge/kube/forward/cluster-admin.ts";
import type { AdminWay } from "../../edge/rpc/admin-target.ts";
import { UsageError } from "./usage-error.ts";

/** For the table of an operator verb. */
export const kubeFlags = {
  kubeconfig: {
    type: "string",
    valueName: "FILE",
    help: "find the server in a cluster by this kubeconfig",
    notes: ["default env KUBECONFIG, else ~/.kube/config"],
  },
  context: { type: "string", valueName: "NAME", help: "context of the kubeconfig" },
  "kube-namespace": {
    type: "string",
    valueName: "NAME",
    help: "namespace of the server in the cluster",
    notes: ["default portcullis-system"],
  },
  "service-account": {
    type: "string",
    valueName: "NAME",
    help: "account of that namespace as which it is done",
    notes: ["default portcullis-operator"],
  },
  "token-file": {
    type: "string",
    valueName: "FILE",
    help: "show this token in the place of the account's",
  },
  "token-audience": {
    type: "string",
    valueName: "AUDIENCE",
    help: "the server's --admin-audience",
    notes: ["default portcullis-admin"],
  },
  "server-root": {
    type: "string",
    valueName: "FILE",
    help: "PEM roots to verify the server in the cluster with",
  },
  "bundle-config-map": {
    type: "string",
    valueName: "NAME",
    help: "the ConfigMap of that namespace with those roots",
    notes: ["default istio-ca-root-cert"],
  },
} as const;

type KubeFlag = keyof typeof kubeFlags;

export type KubeValues = { readonly [Name in KubeFlag]?: string | undefined };

/** In the order in which they are printed. */
const names: readonly KubeFlag[] = [
  "kubeconfig",
  "context",
  "kube-namespace",
  "service-account",
  "token-file",
  "token-audience",
  "server-root",
  "bundle-config-map",
];

/** Those that were given, with what was given. */
export function givenKubeFlags(flags: KubeValues): readonly (readonly [KubeFlag, string])[] {
  return names.flatMap((name) => {
    const value = flags[name];
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** @returns the files that are there, the most important first */
export async function kubeconfigFiles(
  { kubeconfig }: KubeValues,
  env: Environment,
): Promise<readonly string[]> {
  if (kubeconfig !== undefined) return [resolve(kubeconfig)];
  const named = env["KUBECONFIG"]?.split(delimiter).filter((each) => each !== "") ?? [];
  const home = env["HOME"] ? [join(env["HOME"], ".kube", "config")] : [];
  const places = (named.length > 0 ? named : home).map((each) => resolve(each));
  const found = await Promise.all(
    places.map(async (place) => {
      const isThere = await access(place).then(
        () => true,
        () => false,
      );
      return isThere ? [place] : [];
    }),
  );
  return found.flat();
}

/** @throws UsageError */
export async function clusterWay(
  files: readonly string[],
  flags: KubeValues,
  signal: AbortSignal,
): Promise<AdminWay> {
  const [path = "", ...more] = files;
  const { context } = flags;
  const namespace = flags["kube-namespace"] ?? "portcullis-system";
  const serviceAccount = flags["service-account"] ?? "portcullis-operator";
  if (!isDnsLabel(namespace)) throw invalid("--kube-namespace", "a DNS label", namespace);
  if (!isDnsSubdomain(serviceAccount)) {
    throw invalid("--service-account", "a name of Kubernetes", serviceAccount);
  }
  const tokenFile = flags["token-file"];
  const { ClusterAdmin } = await import("../../edge/kube/forward/cluster-admin.ts");
  const by = context === undefined ? path : `context ${context} of ${path}`;
  return new ClusterAdmin({
    name: `namespace ${namespace} by ${by}`,
    access: async () => {
      const { kubeconfigAccess } = await import("../../edge/kube/kubeconfig-access.ts");
      return await kubeconfigAccess({ path, more, context });
    },
    namespace,
    serviceAccount,
    audience: flags["token-audience"] ?? "portcullis-admin",
    tokenFile: tokenFile === undefined ? undefined : resolve(tokenFile),
    roots: rootsPlace(flags),
    signal,
    nowMs: () => performance.now(),
  });
}

/** @throws UsageError */
function rootsPlace(flags: KubeValues): RootsPlace {
  const { "server-root": file, "bundle-config-map": named } = flags;
  if (file !== undefined && named !== undefined) {
    const message = "expected one of --server-root and --bundle-config-map, got both";
    throw new UsageError("usage-invalid-value", message, { hint: "leave one of them out" });
  }
  if (file !== undefined) return { file: resolve(file) };
  const configMap = named ?? "istio-ca-root-cert";
  if (!isDnsSubdomain(configMap)) {
    throw invalid("--bundle-config-map", "a name of Kubernetes", configMap);
  }
  return { configMap };
}

function invalid(flag: string, expected: string, text: string): UsageError {
  const message = `${flag}: expected ${expected}, got ${JSON.stringify(text)}`;
  return new UsageError("usage-invalid-value", message);
}
