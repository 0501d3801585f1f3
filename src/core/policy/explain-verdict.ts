/** Whether both sides of a call agree, by what an Envoy at the other side would do with what it is sent (core/envoy/inbound-chains). */

import type { ServicePort } from "../resources/service-entry.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import type { Sent } from "./client-decision.ts";
import { isHttp } from "./outbound-cluster.ts";
import type { ServerDecision } from "./server-mode.ts";
import type { ServiceEndpoint } from "./services.ts";

/** What becomes of the call; the weaker comes later. `refused`: by the server's proxy. `fails`: by what is behind it, or by the client. */
export const verdicts = ["mtls", "tls", "plaintext", "refused", "fails"] as const;
export type Verdict = (typeof verdicts)[number];

export type VerdictReason =
  | "agreed"
  /** The other side is none of the mesh: nobody here decides what it takes. */
  | "not-ours-to-decide"
  | "plaintext-to-strict"
  | "tls-to-strict"
  | "tls-to-http"
  | "mtls-to-disabled"
  | "mtls-to-no-proxy"
  | "identity-mismatch"
  | "no-endpoints";

export type CallVerdict = { readonly verdict: Verdict; readonly why: VerdictReason };

export interface DecidedSides {
  readonly sent: Sent;
  readonly endpoint: ServiceEndpoint;
  /** Undefined outside of the mesh. */
  readonly server: ServerDecision | undefined;
}

/** @param trustDomain its name */
export function verdictOf(
  { sent, endpoint, server }: DecidedSides,
  port: ServicePort,
  trustDomain: string,
): CallVerdict {
  if (sent.kind === "mtls") {
    if (!takesMeshTls(endpoint.endpoint)) return { verdict: "fails", why: "mtls-to-no-proxy" };
    if (server?.mode === "disable") {
      // A proxy that looks into requests has no chain for it; else the application gets the TLS.
      return { verdict: isHttp(port.protocol) ? "refused" : "fails", why: "mtls-to-disabled" };
    }
    const isExpected = expects(sent.sans, endpoint, trustDomain);
    return isExpected
      ? { verdict: "mtls", why: "agreed" }
      : { verdict: "fails", why: "identity-mismatch" };
  }
  const isPlain = sent.kind === "plaintext";
  const verdict = isPlain ? "plaintext" : "tls";
  if (server === undefined || !takesMeshTls(endpoint.endpoint))
    return { verdict, why: "not-ours-to-decide" };
  if (server.mode === "strict") {
    return { verdict: "refused", why: isPlain ? "plaintext-to-strict" : "tls-to-strict" };
  }
  // No chain for TLS that the proxy would have to end, and cannot.
  if (!isPlain && isHttp(port.protocol)) return { verdict: "refused", why: "tls-to-http" };
  return { verdict, why: "agreed" };
}

/** Where no service account is written, nobody can tell. */
function expects(
  sans: readonly string[],
  { namespace, endpoint: { serviceAccount } }: ServiceEndpoint,
  trustDomain: string,
): boolean {
  if (sans.length === 0 || serviceAccount === "") return true;
  return sans.includes(`spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`);
}

/** @returns the first of the weakest; of none that nobody is there */
export function worstOf(all: Iterable<CallVerdict>): CallVerdict {
  let worst: CallVerdict | undefined;
  for (const { verdict, why } of all) {
    if (worst === undefined || rank(verdict) > rank(worst.verdict)) worst = { verdict, why };
  }
  return worst ?? { verdict: "fails", why: "no-endpoints" };
}

/** A call that is not carried at all. */
export function isBroken(verdict: Verdict): boolean {
  return verdict === "refused" || verdict === "fails";
}

function rank(verdict: Verdict): number {
  return verdicts.indexOf(verdict);
}
