/** What a cluster decides of callers, put together for one configuration: whose tokens count, from where, and who may ask for others. */

import type { IssuerTokens } from "../../../../edge/authn/token-authenticator.ts";
import type { ServerConfig } from "../../../../edge/config/server-config.ts";
import { reviewToken } from "../../../../edge/kube/reviews.ts";
import type { Kube } from "../kube.ts";
import { KubeDoor } from "./kube-door.ts";
import { NodeImpersonation } from "./node-impersonation.ts";
import { PodAddressCheck } from "./pod-address-check.ts";
import { TokenReviews } from "./token-reviews.ts";

export interface KubeIdentityOptions {
  readonly kube: Kube;
  readonly config: ServerConfig;
  /** The wall clock. */
  readonly nowMs: () => number;
}

/** @param tokens of the same configuration */
export function kubeDoor(
  tokens: IssuerTokens,
  { kube, config, nowMs }: KubeIdentityOptions,
): KubeDoor {
  const { audiences, trustDomain, tokenCheck, podAddress } = config;
  const reviews = new TokenReviews({
    ask: (token) => reviewToken(kube.connection, token, audiences),
    trustDomain,
    isAlways: tokenCheck === "review-always",
    onReviewed: (result) => kube.events.reviewed(result),
    nowMs: () => performance.now(),
  });
  const address = new PodAddressCheck({ setting: podAddress, kube });
  return new KubeDoor({ tokens, kube, reviews, address, nowMs });
}

export function nodeImpersonation({ kube, config, nowMs }: KubeIdentityOptions): NodeImpersonation {
  const { trustDomain, trustedNodeAccounts } = config;
  const rules = { trustDomain, trustedAccounts: new Set(trustedNodeAccounts) };
  return new NodeImpersonation({ kube, rules, nowMs });
}
