/**
 * A node's proxy (ztunnel) asks for certificates of the pods on its node. Istio's NodeAuthorizer does not compare the trust domain, nor
 * the token's node with the pod's: here all must agree, and what is granted is made of parts and never of the text that was asked for.
 * The caller is told nothing of why not: it would learn who runs where.
 */

import { quoted } from "../../identity/authn-error.ts";
import { isDnsLabel, isDnsSubdomain } from "../../identity/service-account.ts";
import { nameKey } from "../../resources/resource.ts";
import { SpiffeId, SpiffeIdError, type TrustDomain } from "../../spiffe/id.ts";
import { existenceOf, type ExistenceCaches, type TokenHolder } from "./existence.ts";
import type { PodPlaces } from "../pod-places.ts";

export interface ImpersonationRules {
  /** NAMESPACE/NAME of the service accounts that may. */
  readonly trustedAccounts: ReadonlySet<string>;
  readonly trustDomain: TrustDomain;
}

export interface ImpersonationView extends ExistenceCaches {
  readonly places: PodPlaces;
}

export type Impersonation =
  | {
      readonly kind: "granted";
      readonly id: SpiffeId;
      readonly namespace: string;
      readonly serviceAccount: string;
      readonly node: string;
    }
  /** @param why for the log alone */
  | { readonly kind: "refused"; readonly why: string }
  /** The watch may bring it in a moment; if it does not, that is a refusal. */
  | {
      readonly kind: "unseen";
      readonly why: string;
      /** Whose pod would do; undefined: the caller's own is not known. */
      readonly wants?: PlacedAccount;
    };

export interface PlacedAccount {
  readonly nodeName: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** @param requested the SPIFFE ID that the caller asks for */
export function decideImpersonation(
  caller: TokenHolder,
  requested: string,
  rules: ImpersonationRules,
  view: ImpersonationView,
  nowMs: number,
): Impersonation {
  const who = nameKey({ namespace: caller.namespace ?? "", name: caller.serviceAccount ?? "" });
  if (!rules.trustedAccounts.has(who)) return refused(`${who} is no trusted node account`);
  const asked = askedFor(requested, rules.trustDomain);
  if ("kind" in asked) return asked;
  const node = nodeOf(caller, view, nowMs);
  if (typeof node !== "string") return node;
  const { namespace, serviceAccount } = asked;
  if (!view.places.runsOn(node, namespace, serviceAccount, nowMs)) {
    const name = nameKey({ namespace, name: serviceAccount });
    const wants = { nodeName: node, namespace, serviceAccount };
    return { kind: "unseen", why: `no pod of ${name} runs on node ${quoted(node)}`, wants };
  }
  const id = SpiffeId.forServiceAccount(rules.trustDomain, namespace, serviceAccount);
  return { kind: "granted", id, namespace, serviceAccount, node };
}

interface Asked {
  readonly namespace: string;
  readonly serviceAccount: string;
}

function askedFor(requested: string, trustDomain: TrustDomain): Asked | Impersonation {
  const id = parseId(requested);
  if (id === undefined) return refused(`expected a SPIFFE ID, got ${quoted(requested)}`);
  if (!id.trustDomain.equals(trustDomain)) {
    return refused(`expected an ID of ${trustDomain.name}, got ${quoted(requested)}`);
  }
  const [root, ns, namespace = "", sa, serviceAccount = "", ...rest] = id.path.split("/");
  const isAccount = root === "" && ns === "ns" && sa === "sa" && rest.length === 0;
  if (isAccount && isDnsLabel(namespace) && isDnsSubdomain(serviceAccount)) {
    return { namespace, serviceAccount };
  }
  return refused(`expected /ns/NAMESPACE/sa/SERVICE-ACCOUNT, got ${quoted(id.path)}`);
}

function parseId(text: string): SpiffeId | undefined {
  try {
    return SpiffeId.parse(text);
  } catch (error) {
    if (error instanceof SpiffeIdError) return undefined;
    throw error;
  }
}

/** The node of the caller's own pod. A token from before Kubernetes 1.30 names none: its pod does, and pods never move. */
function nodeOf(
  caller: TokenHolder,
  view: ImpersonationView,
  nowMs: number,
): string | Impersonation {
  const existence = existenceOf(caller, view, nowMs);
  if (existence.kind === "gone") return refused(`its ${existence.what} ${existence.why}`);
  if (existence.kind === "unbound") return refused("its token is bound to nothing");
  if (existence.kind === "unknown") {
    return { kind: "unseen", why: `its ${existence.what} is not known here` };
  }
  const { pod } = existence;
  if (pod === undefined) return refused("its token is bound to no pod");
  if (pod.nodeName === "") return { kind: "unseen", why: "its pod is on no node yet" };
  const claimed = caller.evidence.node?.name ?? pod.nodeName;
  if (claimed === pod.nodeName) return pod.nodeName;
  return refused(`its token is of node ${quoted(claimed)}, its pod on ${quoted(pod.nodeName)}`);
}

function refused(why: string): Impersonation {
  return { kind: "refused", why };
}
