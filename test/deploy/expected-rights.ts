/** What the server's account may do, by what is on: the whole of it, written down apart from the chart. */

import type { Probe } from "./access-matrix.ts";
import { ownNamespace, type Values } from "./chart.ts";

/** What RBAC gives: verbs on resources of a group; everywhere or in our namespace; of any name or of one. */
interface Right {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly isOurs?: true;
  readonly name?: string;
}

const reading = ["get", "list", "watch"];

/** Whether one of them is being taken away. */
const definitions = [
  "peerauthentications.security.istio.io",
  ...["destinationrules", "serviceentries", "sidecars", "workloadentries"].map(
    (each) => `${each}.networking.istio.io`,
  ),
];

const least: readonly Right[] = [
  { group: "", resources: ["namespaces", "pods", "serviceaccounts", "services"], verbs: reading },
  { group: "discovery.k8s.io", resources: ["endpointslices"], verbs: reading },
  { group: "security.istio.io", resources: ["peerauthentications"], verbs: reading },
  {
    group: "networking.istio.io",
    resources: ["destinationrules", "serviceentries", "sidecars", "workloadentries"],
    verbs: reading,
  },
  ...definitions.map((name) => ({
    group: "apiextensions.k8s.io",
    resources: ["customresourcedefinitions"],
    verbs: ["get"],
    name,
  })),
  { group: "authentication.k8s.io", resources: ["tokenreviews"], verbs: ["create"] },
];

export const bundle = "istio-ca-root-cert";
export const trust = "portcullis-trust";

const byDefault: readonly Right[] = [
  ...least,
  { group: "authorization.k8s.io", resources: ["subjectaccessreviews"], verbs: ["create"] },
  { group: "", resources: ["configmaps"], verbs: [...reading, "patch"], name: bundle },
  { group: "", resources: ["configmaps"], verbs: ["create"] },
  { group: "security.istio.io", resources: ["peerauthentications/status"], verbs: ["patch"] },
  {
    group: "security.istio.io",
    resources: ["peerauthentications"],
    verbs: ["create", "patch", "delete"],
  },
  { group: "events.k8s.io", resources: ["events"], verbs: ["create", "patch"] },
];

const all: readonly Right[] = [
  ...byDefault,
  {
    group: "",
    resources: ["secrets"],
    verbs: ["get", "update"],
    isOurs: true,
    name: trust,
  },
  { group: "", resources: ["secrets"], verbs: ["create"], isOurs: true },
  {
    group: "coordination.k8s.io",
    resources: ["leases"],
    verbs: ["get", "update"],
    isOurs: true,
    name: trust,
  },
  { group: "coordination.k8s.io", resources: ["leases"], verbs: ["create"], isOurs: true },
  {
    group: "admissionregistration.k8s.io",
    resources: ["validatingwebhookconfigurations"],
    verbs: ["get", "patch"],
    name: "portcullis-guard",
  },
];

export const names: Readonly<Record<string, readonly string[]>> = {
  configmaps: [bundle],
  customresourcedefinitions: definitions,
  secrets: [trust],
  leases: [trust],
  validatingwebhookconfigurations: ["portcullis-guard"],
};

export function isGiven(rights: readonly Right[], probe: Probe): boolean {
  return rights.some(
    ({ group, resources, verbs, isOurs, name }) =>
      group === probe.group &&
      resources.includes(probe.resource) &&
      verbs.includes(probe.verb) &&
      (isOurs === undefined || probe.namespace === ownNamespace) &&
      (name === undefined || name === probe.name),
  );
}

/** Each adds to the one before: roles are only ever added to a cluster. */
export const steps: readonly (readonly [string, Values, readonly Right[]])[] = [
  [
    "with all left out that can be",
    {
      bundleConfigMap: "off",
      policyStatus: false,
      flipsWrite: false,
      events: false,
      "admin.enabled": false,
      "operators.accountRoles": [],
    },
    least,
  ],
  ["by the defaults", {}, byDefault],
  ["with guard and trust secret", { "guard.mode": "warn", trustSecret: trust }, all],
];
