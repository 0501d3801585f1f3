/** One proxy, as its agent tells of it. */

import type { ReportedPolicy } from "../../../core/policy/policy-report.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { ProxyPolicy } from "../../../core/policy/proxy-policy.ts";
import type { ProxyReport } from "../../../core/policy/rollout-proxy.ts";
import { sameValue } from "../../../core/policy/same-value.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { KnownListeners } from "../../../core/roll/handshake-proof.ts";
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

export interface ToldProxy {
  readonly key: string;
  readonly spiffeId: string;
  readonly reporter: Reporter;
  readonly session: Session;
  readonly said: ReportedPolicy;
  readonly claims: PolicyClaims;
}

/** Who refuses by turns writes no line each time. */
const saidRefusalsMax = 8;

/** @param known as it was */
export function proxyAfter(known: PolicyProxy | undefined, told: ToldProxy): PolicyProxy {
  const { key, spiffeId, reporter, session, said, claims } = told;
  const { tooLarge, saidRefusals = [] } = known ?? {};
  const identity = identityOf(key, spiffeId, said);
  const refusal = claims.refused && said.nack?.digest;
  const isSaid = refusal === undefined || saidRefusals.includes(refusal);
  return {
    identity:
      known !== undefined && sameValue(identity, known.identity) ? known.identity : identity,
    spiffeId,
    reporter,
    session,
    said: withoutOctets(said),
    ...claims,
    tooLarge,
    saidRefusals: isSaid ? saidRefusals : [...saidRefusals, refusal].slice(-saidRefusalsMax),
    goneSinceMs: undefined,
  };
}

/** What was sent to it before it was gone is among the strays. */
export function reportOf(proxy: PolicyProxy): ProxyReport {
  const { applied, partial, strays, sent, said, tooLarge } = proxy;
  // It would be tried again with each report.
  const refused = proxy.refused ?? (applied === undefined ? undefined : tooLarge);
  const { hasListeners } = said;
  const pending = [...strays.map(({ policy }) => policy), ...partial];
  return { isAnswered: sent === undefined, hasListeners, applied, pending, refused };
}

/** By what its agent has told on this stream. */
export function knownListeners({ applied, said }: PolicyProxy): KnownListeners {
  if (!said.hasListeners || applied === "nothing") return { kind: "none" };
  if (applied === undefined || said.applied === undefined) return { kind: "unknown" };
  if (applied.inbound.length === 0) return { kind: "none" };
  return { kind: "ours", policyDigest: said.applied.digest };
}

export function octetsIn({ applied, nack }: ReportedPolicy): number {
  return (applied?.octets?.length ?? 0) + (nack?.octets?.length ?? 0);
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
  { proxyId, labels }: Pick<ReportedPolicy, "proxyId" | "labels">,
): ProxyIdentity {
  const [, , namespace = "", , serviceAccount = ""] = SpiffeId.parse(owner).path.split("/");
  return { key, namespace, serviceAccount, nodeId: proxyId, claimedLabels: labels };
}
