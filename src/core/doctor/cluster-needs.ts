/**
 * What a server needs of its cluster's RBAC, by its settings, and what it cannot do without it. The roles of `deploy` are held against this
 * table by a test.
 */

import { guardConfiguration } from "../kube/own-names.ts";

export interface NeedSettings {
  /** The server's own. */
  readonly namespace: string;
  /** `off` for none. */
  readonly bundleConfigMap: string;
  /** Conditions are written to PeerAuthentications. */
  readonly policyStatus: boolean;
  readonly trustSecret: string | undefined;
  /** Operators are let in by their tokens. */
  readonly hasOperators: boolean;
  readonly hasGuard: boolean;
}

/** As the questions of `authorization.k8s.io/v1` have it. */
export interface ClusterNeed {
  readonly verb: string;
  readonly group: string;
  /** With its subresource, such as `peerauthentications/status`; a path that begins with `/` is no resource. */
  readonly resource: string;
  /** "" for all. */
  readonly namespace: string;
  /** "" for any. */
  readonly name: string;
  /** Of the manifests of `deploy`: what gives it. */
  readonly role: string;
  /** No workload, or no operator, is let in without it, or nothing is signed. */
  readonly isVital: boolean;
  /** The role may be left out, which no setting of the server says. */
  readonly isOptional?: boolean;
  /** What does not work without it. */
  readonly what: string;
}

type Purpose = Pick<ClusterNeed, "role" | "isVital" | "isOptional" | "what">;

const reading: readonly string[] = ["list", "watch"];

const purposes = {
  identities: { role: "portcullis-watch", isVital: true, what: "who exists is not known" },
  policies: { role: "portcullis-watch", isVital: false, what: "the configuration is not read" },
  definitions: { role: "portcullis-watch", isVital: false, what: "a kind may go with its objects" },
  callers: { role: "portcullis-callers", isVital: true, what: "tokens cannot be checked" },
  life: { role: "portcullis-callers", isVital: false, what: "watches seem to be behind" },
  operators: { role: "portcullis-callers", isVital: true, what: "no operator is let in" },
  bundle: { role: "portcullis-bundle", isVital: false, what: "roots do not reach the namespaces" },
  status: { role: "portcullis-policy-status", isVital: false, what: "no conditions are written" },
  flipped: { role: "portcullis-watch", isVital: false, what: "flips cannot read their objects" },
  flips: {
    role: "portcullis-flips",
    isVital: false,
    isOptional: true,
    what: "flips cannot write their objects",
  },
  events: {
    role: "portcullis-events",
    isVital: false,
    isOptional: true,
    what: "refusals make no Events",
  },
  trust: { role: "portcullis-trust", isVital: true, what: "nothing is signed" },
  guard: { role: guardConfiguration, isVital: false, what: "the webhook is not believed" },
} satisfies Record<string, Purpose>;

export function clusterNeeds(settings: NeedSettings): readonly ClusterNeed[] {
  const { namespace, bundleConfigMap: map, trustSecret } = settings;
  const { policyStatus, hasOperators, hasGuard } = settings;
  const istio = "networking.istio.io";
  return [
    ...need(purposes.identities, "", ["namespaces", "pods", "serviceaccounts"], reading),
    ...need(purposes.policies, "", ["services"], reading),
    ...need(purposes.policies, "discovery.k8s.io", ["endpointslices"], reading),
    ...need(purposes.policies, "security.istio.io", ["peerauthentications"], reading),
    ...need(purposes.policies, istio, ["destinationrules", "serviceentries"], reading),
    ...need(purposes.policies, istio, ["sidecars", "workloadentries"], reading),
    ...definitions.flatMap((name) =>
      need(purposes.definitions, "apiextensions.k8s.io", ["customresourcedefinitions"], ["get"], {
        name,
      }),
    ),
    ...need(purposes.callers, "", ["/.well-known/openid-configuration"], ["get"]),
    ...need(purposes.callers, "", ["/openid/v1/jwks"], ["get"]),
    ...need(purposes.callers, "authentication.k8s.io", ["tokenreviews"], ["create"]),
    ...need(purposes.life, "", ["/livez"], ["get"]),
    ...(hasOperators
      ? need(purposes.operators, "authorization.k8s.io", ["subjectaccessreviews"], ["create"])
      : []),
    ...(map === "off"
      ? []
      : [
          ...need(purposes.bundle, "", ["configmaps"], [...reading, "get", "patch"], { name: map }),
          ...need(purposes.bundle, "", ["configmaps"], ["create"]),
        ]),
    ...(policyStatus
      ? need(purposes.status, "security.istio.io", ["peerauthentications/status"], ["patch"])
      : []),
    ...need(purposes.flipped, "security.istio.io", ["peerauthentications"], ["get"]),
    ...need(purposes.flips, "security.istio.io", ["peerauthentications"], flipVerbs),
    ...need(purposes.events, "events.k8s.io", ["events"], ["create", "patch"]),
    ...(trustSecret === undefined ? [] : trustNeeds(namespace, trustSecret)),
    ...(hasGuard
      ? need(purposes.guard, "admissionregistration.k8s.io", [webhooks], ["get", "patch"], {
          name: guardConfiguration,
        })
      : []),
  ];
}

/** Such as `list pods`, `get /livez`. */
export function needWords({ verb, resource, group, name, namespace }: ClusterNeed): string {
  const plural = group === "" ? resource : `${resource}.${group}`;
  return `${verb} ${plural}${name && ` ${name}`}${namespace && ` in ${namespace}`}`;
}

/** Whether one is being deleted: then nobody has deleted its objects. */
const definitions: readonly string[] = [
  "destinationrules.networking.istio.io",
  "peerauthentications.security.istio.io",
  "serviceentries.networking.istio.io",
  "sidecars.networking.istio.io",
  "workloadentries.networking.istio.io",
];
const flipVerbs: readonly string[] = ["create", "patch", "delete"];
const webhooks = "validatingwebhookconfigurations";

function trustNeeds(namespace: string, name: string): readonly ClusterNeed[] {
  const kinds = [
    ["", "secrets"],
    ["coordination.k8s.io", "leases"],
  ] as const;
  return kinds.flatMap(([group, resource]) => [
    ...need(purposes.trust, group, [resource], ["get", "update"], { namespace, name }),
    ...need(purposes.trust, group, [resource], ["create"], { namespace }),
  ]);
}

function need(
  purpose: Purpose,
  group: string,
  resources: readonly string[],
  verbs: readonly string[],
  { namespace = "", name = "" }: { readonly namespace?: string; readonly name?: string } = {},
): readonly ClusterNeed[] {
  return resources.flatMap((resource) =>
    verbs.map((verb) => ({ ...purpose, verb, group, resource, namespace, name })),
  );
}
