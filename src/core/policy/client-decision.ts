/**
 * What a client sends to one endpoint of a service. Istio's order: the DestinationRule, where it says something of TLS; else, by
 * auto-mTLS, mTLS to whoever is of the mesh and takes it; else nothing but what the application says. What would fail, or is
 * weaker than it looks, is said with it: Istio finds out at the first connection.
 */

import type { ClientTls } from "../resources/client-tls.ts";
import type { ResourceRef } from "../resources/resource.ts";
import type { ServicePort } from "../resources/service-entry.ts";
import { ruleTls, type ClientRuleLevel, type RuleTls } from "./client-rule.ts";
import type { Because } from "./decision.ts";
import type { MergedRule } from "./merged-rule.ts";
import type { ServerMode } from "./server-mode.ts";

export interface CalledEndpoint {
  /** It has a proxy of the mesh, as far as its entry says. */
  readonly takesMeshTls: boolean;
  /** What its port takes; undefined outside of the mesh. */
  readonly mode: ServerMode | undefined;
}

export interface CalledService {
  readonly ref: ResourceRef;
  readonly host: string;
  readonly port: ServicePort;
  readonly isInternal: boolean;
  /** SPIFFE IDs of all that may answer for it, sorted. */
  readonly identities: readonly string[];
  /** The service's own. */
  readonly subjectAltNames: readonly string[];
}

export interface Call {
  readonly service: CalledService;
  /** "" for none. */
  readonly subset: string;
  readonly endpoint: CalledEndpoint;
  /** The one that counts for this client and host. */
  readonly rule: MergedRule | undefined;
  readonly enableAutoMtls: boolean;
}

export type Sent =
  | { readonly kind: "plaintext" }
  | { readonly kind: "mtls"; readonly sni: string; readonly sans: readonly string[] }
  /** TLS of the web: not the mesh's certificate. */
  | { readonly kind: "origination"; readonly tls: ClientTls };

export type ClientRule =
  | ClientRuleLevel
  | "auto-mtls"
  | "auto-mtls-off"
  | "outside-the-mesh"
  | "endpoint-without-proxy"
  | "endpoint-disabled";

export type ClientConflict =
  /** It would be refused. */
  | "plaintext-to-strict"
  | "tls-to-strict"
  | "mtls-to-disabled"
  /** Whether it takes mTLS is not known, and it does not look so. */
  | "mtls-to-no-proxy"
  /** Nobody says who may answer: any certificate of the mesh would do. */
  | "anybody-may-answer";

export interface ClientDecision {
  readonly sent: Sent;
  readonly because: Because<ClientRule>;
  readonly overrode: readonly Because<ClientRuleLevel>[];
  readonly conflicts: readonly ClientConflict[];
}

export function clientDecision(call: Call): ClientDecision {
  const { rule, service, subset } = call;
  const said = rule === undefined ? [] : ruleTls(rule, service.port.number, subset);
  const [first, ...others] = said;
  const becauseOf = ({ ref, level }: RuleTls) => ({ ref, rule: level });
  if (first?.tls !== undefined) {
    const sent = sentBy(call, first.tls);
    const overrode = others.map(becauseOf);
    return { sent, because: becauseOf(first), overrode, conflicts: conflictsOf(call, sent) };
  }
  const auto = autoMtls(call);
  const sent: Sent = auto === "auto-mtls" ? mtls(call, undefined) : { kind: "plaintext" };
  const because = { ref: auto === "outside-the-mesh" ? service.ref : undefined, rule: auto };
  return { sent, because, overrode: said.map(becauseOf), conflicts: conflictsOf(call, sent) };
}

/** Why it is, or is not, mTLS where no rule says anything. */
function autoMtls({ enableAutoMtls, service, endpoint }: Call): ClientRule {
  if (!service.isInternal) return "outside-the-mesh";
  if (!enableAutoMtls) return "auto-mtls-off";
  if (!endpoint.takesMeshTls) return "endpoint-without-proxy";
  return endpoint.mode === "disable" ? "endpoint-disabled" : "auto-mtls";
}

function sentBy(call: Call, tls: ClientTls): Sent {
  if (tls.mode === "DISABLE") return { kind: "plaintext" };
  if (tls.mode === "ISTIO_MUTUAL") return mtls(call, tls);
  const { subjectAltNames } = call.service;
  const isNamed = tls.subjectAltNames.length > 0 || subjectAltNames.length === 0;
  return { kind: "origination", tls: isNamed ? tls : { ...tls, subjectAltNames } };
}

function mtls({ service, subset }: Call, tls: ClientTls | undefined): Sent {
  const { host, port, identities } = service;
  const written = tls?.subjectAltNames ?? [];
  const sni = tls?.sni ?? `outbound_.${port.number}_.${subset}_.${host}`;
  return { kind: "mtls", sni, sans: written.length > 0 ? written : identities };
}

function conflictsOf({ endpoint: { mode, takesMeshTls } }: Call, sent: Sent): ClientConflict[] {
  if (sent.kind !== "mtls") {
    if (mode !== "strict" || !takesMeshTls) return [];
    return [sent.kind === "plaintext" ? "plaintext-to-strict" : "tls-to-strict"];
  }
  return [
    ...(takesMeshTls ? [] : ["mtls-to-no-proxy" as const]),
    ...(takesMeshTls && mode === "disable" ? ["mtls-to-disabled" as const] : []),
    ...(sent.sans.length > 0 ? [] : ["anybody-may-answer" as const]),
  ];
}
