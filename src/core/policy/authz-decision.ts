/**
 * Whether a connection or request may come in, asked by an Envoy whose listeners are not ours (`ext_authz`). The answer is what the
 * chains of core/envoy/inbound-chains.ts would do with the same caller:
 *
 * | who calls                              | strict  | permissive    | disable       |
 * | -------------------------------------- | ------- | ------------- | ------------- |
 * | `spiffe://TRUST-DOMAIN/ns/...`         | mTLS    | mTLS          | passes it by  |
 * | nobody, by plaintext or one-sided TLS  | refused | passes it by  | passes it by  |
 * | a SPIFFE ID that is none of these      | refused | refused       | passes it by  |
 * | a name that is no SPIFFE ID            | refused | passes it by  | passes it by  |
 *
 * In permissive the third row is the mTLS chain's: who comes as a workload of a mesh has to be one of this mesh. It keeps nobody out who
 * would come without a certificate instead; it keeps a name that nobody of this mesh has vouched for from the application. The fourth row
 * is TLS of the application's own, which the mesh leaves alone.
 *
 * That a principal was proved is the listener's doing: Envoy names what the certificate says, verified or not.
 */

import { SpiffeId, SpiffeIdError, type TrustDomain } from "../spiffe/id.ts";
import { modeOf } from "./port-modes.ts";
import type { PortModes } from "./proxy-policy.ts";
import type { ServerMode } from "./server-mode.ts";

export interface AuthzQuestion {
  /** The listener's. */
  readonly port: number;
  /** Of the caller's certificate: a URI, else a DNS name, else a subject; empty without a certificate. */
  readonly principal: string;
}

export type AuthzRefusal =
  /** Nobody has said yet what this proxy is to take. */
  | "no-policy"
  /** The port takes mTLS only. */
  | "no-identity"
  /** Not one of this trust domain's workloads. */
  | "foreign-identity";

export type AuthzDecision =
  | { readonly kind: "allow"; readonly mode: ServerMode }
  | { readonly kind: "deny"; readonly reason: AuthzRefusal };

/** @param modes undefined where there is no policy: then nobody comes in */
export function decideAuthz(
  modes: PortModes | undefined,
  { port, principal }: AuthzQuestion,
  trustDomain: TrustDomain,
): AuthzDecision {
  if (modes === undefined) return { kind: "deny", reason: "no-policy" };
  const mode = modeOf(modes, port);
  const reason = refusalOf(mode, principal, trustDomain);
  return reason === undefined ? { kind: "allow", mode } : { kind: "deny", reason };
}

function refusalOf(
  mode: ServerMode,
  principal: string,
  trustDomain: TrustDomain,
): AuthzRefusal | undefined {
  if (mode === "disable" || isWorkload(principal, trustDomain)) return undefined;
  if (mode === "strict") return principal === "" ? "no-identity" : "foreign-identity";
  return /^spiffe:/i.test(principal) ? "foreign-identity" : undefined;
}

/** As the chains' matcher has it, by prefix, and a SPIFFE ID besides. */
function isWorkload(principal: string, trustDomain: TrustDomain): boolean {
  if (!principal.startsWith(`${trustDomain.id.toString()}/ns/`)) return false;
  try {
    SpiffeId.parse(principal);
    return true;
  } catch (error) {
    if (error instanceof SpiffeIdError) return false;
    throw error;
  }
}
