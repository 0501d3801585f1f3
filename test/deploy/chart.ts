/** The chart, as the real helm renders it. */

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { parseAllDocuments } from "yaml";
import { pinned } from "../kube/assets.ts";
import { helmBinary } from "./helm-binary.ts";

export const chartDirectory: string = join(import.meta.dirname, "../../deploy/helm/portcullis");
export const ownNamespace = "portcullis-system";
export const kubeVersion: string = pinned("apiserver", "k8s.io/kubernetes");

/** As `--set-json` has them, by the path of each. */
export type Values = Readonly<Record<string, unknown>>;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

/** @throws an Error with what helm has written to stderr */
export async function helm(
  verb: "lint" | "template",
  values: Values = {},
  version: string = kubeVersion,
  more: readonly string[] = [],
): Promise<string> {
  const names = verb === "template" ? ["portcullis", chartDirectory] : [chartDirectory, "--strict"];
  const set = Object.entries(values).flatMap(([path, value]) => [
    "--set-json",
    `${path}=${JSON.stringify(value)}`,
  ]);
  const kube = ["--namespace", ownNamespace, "--kube-version", version];
  const run = promisify(execFile);
  const { stdout } = await run(await helmBinary(), [verb, ...names, ...kube, ...set, ...more]);
  return stdout;
}

export async function render(values: Values = {}): Promise<Manifest[]> {
  return parseManifests(await helm("template", values));
}

export function parseManifests(text: string): Manifest[] {
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  const objects = documents.map((each) => {
    if (each.errors[0] !== undefined) throw each.errors[0];
    return each.toJS() as Manifest | null;
  });
  return objects.filter((each) => each !== null);
}

export function keyOf({ kind, metadata: { namespace = "", name } }: Manifest): string {
  return [kind, namespace, name].join("/");
}

/** @throws where it is not there */
export function find(manifests: readonly Manifest[], kind: string, name: string): Manifest {
  const found = manifests.find((each) => each.kind === kind && each.metadata.name === name);
  if (found === undefined) throw new Error(`no ${kind} ${name}`);
  return found;
}

/** Every way in which the chart has more objects or other ones than by its defaults. */
export const variants: readonly (readonly [string, Values])[] = [
  ["defaults", {}],
  [
    "everything",
    {
      guard: { mode: "enforce" },
      trustSecret: "portcullis-trust",
      monitoring: { serviceMonitor: { enabled: true }, rules: { enabled: true } },
      ca: { secretName: "cacerts", passphraseSecretName: "ca-passphrase" },
      trustedNodeAccounts: ["istio-system/ztunnel"],
      servingDnsNames: ["istiod.istio-system.svc"],
      operators: {
        accountRoles: ["portcullis-viewer", "portcullis-root-operator"],
        connect: [{ kind: "Group", name: "mesh-team", apiGroup: "rbac.authorization.k8s.io" }],
        bindings: [
          {
            role: "portcullis-mtls-operator",
            subjects: [{ kind: "ServiceAccount", name: "alice", namespace: "ops" }],
          },
        ],
      },
      networkPolicy: { guardFrom: [{ ipBlock: { cidr: "10.0.0.0/28" } }] },
      pod: {
        annotations: { a: "b" },
        labels: { team: "mesh" },
        nodeSelector: { "kubernetes.io/os": "linux" },
        tolerations: [{ key: "a", operator: "Exists" }],
        affinity: { nodeAffinity: {} },
        priorityClassName: "system-cluster-critical",
      },
      image: { repository: "registry.example/portcullis", pullSecrets: ["pull"] },
      storage: { storageClassName: "fast" },
      config: { certificates: { defaultTtl: "12h" }, log: { level: "debug" } },
    },
  ],
  [
    "nothing that can be left out",
    {
      bundleConfigMap: "off",
      policyStatus: false,
      flipsWrite: false,
      events: false,
      admissionPolicy: false,
      admin: { enabled: false },
      networkPolicy: { enabled: false },
      podDisruptionBudget: { enabled: false },
    },
  ],
];
