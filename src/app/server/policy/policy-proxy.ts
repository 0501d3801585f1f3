/** One proxy, as its agent tells of it. */

import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import { agentKey } from "../../../core/roll/leaf-owners.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import type { Session } from "../mesh/mesh-session.ts";
import type { PolicyClaims } from "./policy-claims.ts";

export interface PolicyProxy extends PolicyClaims {
  readonly identity: ProxyIdentity;
  readonly spiffeId: string;
  readonly reporter: Reporter;
  /** The stream that tells of it; undefined while its agent is away, or says that its last stream has closed. */
  session: Session | undefined;
  /** Without octets. */
  said: ReportedPolicy;
  refused: PolicyClaims["refused"];
  sent: PolicyClaims["sent"];
  strays: PolicyClaims["strays"];
  /** What it was to be told last, and no message can carry. */
  tooLarge: ProxyPolicy | undefined;
  /** Digests of the refusals that were said last, the newest last. */
  readonly saidRefusals: readonly string[];
  /** Its agent is there, and it is not, since then. */
  goneSinceMs: number | undefined;
}

/** @param owner whose it is */
export function proxyKeyOf(
  { spiffeId, agentId }: Reporter,
  owner: string,
  proxyId: string,
): string {
  return `${agentKey(spiffeId, agentId)} ${owner} ${proxyId}`;
}

export function withoutOctets(said: ReportedPolicy): ReportedPolicy {
  const { applied, nack } = said;
  return {
    ...said,
    applied: applied && { ...applied, octets: undefined },
    nack: nack && { ...nack, octets: undefined },
  };
}

export function identityOf(
  key: string,
  owner: string,
  { proxyId, labels }: ReportedPolicy,
): ProxyIdentity {
  const [, , namespace = "", , serviceAccount = ""] = SpiffeId.parse(owner).path.split("/");
  return { key, namespace, serviceAccount, nodeId: proxyId, claimedLabels: labels };
}
