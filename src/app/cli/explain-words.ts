/** What `mtls explain` says to people: sentences that name objects, and where they stand. */

import { refWords, type ResourceKind } from "../../core/resources/resource.ts";
import type { EndpointValue } from "../../core/policy/explain.ts";
import type { BecauseValue } from "../../core/policy/explain-value.ts";
import type { Verdict, VerdictReason } from "../../core/policy/explain-verdict.ts";
import type { ServerMode } from "../../core/policy/server-mode.ts";
import type { Configuration } from "./mtls-configuration.ts";

type Origins = Pick<Configuration, "originOf">;

/** `PeerAuthentication shop/api (policies/shop.yaml:12)`; "" where no object has said it. */
export function objectWords({ originOf }: Origins, because: BecauseValue): string {
  const { kind, namespace, name } = because;
  if (kind === null || namespace === null || name === null) return "";
  const origin = isKind(kind) ? originOf({ kind, namespace, name }) : "";
  return refWords({ kind, namespace, name }) + (origin === "" ? "" : ` (${origin})`);
}

const kinds: ReadonlySet<string> = new Set<ResourceKind>([
  "PeerAuthentication",
  "DestinationRule",
  "ServiceEntry",
  "WorkloadEntry",
  "Sidecar",
  "MeshConfig",
]);

function isKind(kind: string): kind is ResourceKind {
  return kinds.has(kind);
}

export const takenWords: Readonly<Record<ServerMode, string>> = {
  disable: "no mTLS: TLS and plaintext go to the application as they come",
  permissive: "mTLS and plaintext",
  strict: "mTLS only; plaintext is refused",
};

const scopes: Readonly<Record<string, string>> = {
  mesh: "for the whole mesh",
  namespace: "for its namespace",
  workload: "for the workloads that it selects",
  port: "for this port of the workloads that it selects",
  rule: "for the host",
  "rule-port": "for this port of the host",
  subset: "for the subset",
  "subset-port": "for this port of the subset",
};

const noObject: Readonly<Record<string, string>> = {
  default: "nobody says anything, and PERMISSIVE is the default",
  "auto-mtls": "no DestinationRule says anything, and the endpoint takes mTLS",
  "auto-mtls-off": "no DestinationRule says anything, and MeshConfig has enableAutoMtls off",
  "endpoint-without-proxy":
    "the endpoint has no proxy of the mesh: it has no serviceAccount, or its label says so",
  "endpoint-disabled": "no DestinationRule says anything, and the endpoint's port takes no mTLS",
};

/** After "because". */
export function becauseWords(origins: Origins, because: BecauseValue): string {
  const object = objectWords(origins, because);
  if (because.rule === "outside-the-mesh")
    return `${object} says that the host is outside of the mesh`;
  if (because.rule === "flip") return `${object} says STRICT, and a flip holds this workload back`;
  if (because.rule === "source-without-proxy") return `the client has no proxy: ${object}`;
  const scope = scopes[because.rule];
  return scope === undefined
    ? (noObject[because.rule] ?? because.rule)
    : `${object} says so ${scope}`;
}

/** After "instead of". */
export function overrodeWords(origins: Origins, because: BecauseValue): string {
  return `${objectWords(origins, because)}, ${scopes[because.rule] ?? because.rule}`;
}

const ignoredReasons: Readonly<Record<string, string>> = {
  "not-the-oldest": "another of the same scope is older, or goes before it by name",
  "selector-in-root-namespace": "a selector in the root namespace selects nobody",
  "ports-without-selector": "portLevelMtls counts only with a selector",
};

export function ignoredWords(origins: Origins, because: BecauseValue): string {
  return `${objectWords(origins, because)}: ${ignoredReasons[because.rule] ?? because.rule}`;
}

export const verdictWords: Readonly<Record<Verdict, string>> = {
  mtls: "mTLS",
  tls: "TLS, not the mesh's",
  plaintext: "plaintext",
  refused: "REFUSED",
  fails: "FAILS",
};

export type ShownReason = VerdictReason | "unknown-host" | "unknown-port" | "not-in-egress";

export const reasonWords: Readonly<Record<ShownReason, string>> = {
  agreed: "both sides agree",
  "not-ours-to-decide":
    "what the other side takes is not decided here: it has no proxy of the mesh",
  "plaintext-to-strict": "plaintext is sent, and the port takes mTLS only",
  "tls-to-strict": "TLS without a certificate of the mesh is sent, and the port demands one",
  "tls-to-http": "TLS is sent to an HTTP port, whose proxy takes plaintext and mTLS only",
  "mtls-to-disabled": "mTLS is sent, and the port has it disabled: nobody there ends it",
  "mtls-to-no-proxy": "mTLS is sent to an endpoint without a proxy of the mesh",
  "identity-mismatch": "the endpoint's identity is not among those that the client expects",
  "no-endpoints": "nobody is there to answer",
  "unknown-host": "there is no such host for the client",
  "unknown-port": "the host has no such port",
  "not-in-egress": "the client's Sidecar does not let it call the host",
};

/** What to do about it; "" where nothing is to be done. */
export function adviceFor({ why, client }: Pick<EndpointValue, "why" | "client">): string {
  const { kind, namespace, name, rule } = client.because;
  const object = refWords({ kind: kind ?? "", namespace: namespace ?? "", name: name ?? "" });
  const isRule = kind === "DestinationRule";
  switch (why) {
    case "plaintext-to-strict":
      if (rule === "source-without-proxy")
        return "give the client a proxy, or let the port be PERMISSIVE";
      return isRule
        ? `say ISTIO_MUTUAL in ${object}, or take its tls away; or let the port be PERMISSIVE`
        : "turn auto-mTLS on, or let the port be PERMISSIVE";
    case "tls-to-strict":
      return `say ISTIO_MUTUAL in ${object}, or let the port be PERMISSIVE`;
    case "tls-to-http":
      return `say ISTIO_MUTUAL in ${object}, or let the service's port be TLS or TCP`;
    case "mtls-to-disabled":
      return `take the tls of ${object} away, or let the port be PERMISSIVE`;
    case "mtls-to-no-proxy":
      return `take the tls of ${object} away: who has a proxy gets mTLS by itself`;
    case "identity-mismatch":
      return isRule
        ? `add the identity to subjectAltNames of ${object}`
        : "add the identity to subjectAltNames of the ServiceEntry";
    case "no-endpoints":
      return "compare the ServiceEntry's workloadSelector, or the subset's labels, with the WorkloadEntries";
    case "agreed":
    case "not-ours-to-decide":
      return "";
    default:
      return why satisfies never;
  }
}
