/** What the API server says of a token, and tokens that no API server would give. */

import { createPrivateKey, sign } from "node:crypto";
import {
  AuthenticationV1Api,
  type KubeConfig,
  type V1TokenReviewStatus,
} from "@kubernetes/client-node";

export async function reviewToken(
  config: KubeConfig,
  token: string,
  audiences?: readonly string[],
): Promise<V1TokenReviewStatus> {
  const spec = { token, ...(audiences !== undefined && { audiences: [...audiences] }) };
  const { status } = await config
    .makeApiClient(AuthenticationV1Api)
    .createTokenReview({ body: { spec } });
  return status ?? {};
}

export type TokenClaims = Readonly<Record<string, unknown>>;

/** Unverified. */
export function claimsOf(token: string): TokenClaims {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** The same token with other claims in the place of its own. @param keyPem RSA, such as the cluster's own: `tokenKeyPem` */
export function resignToken(token: string, changes: TokenClaims, keyPem: string): string {
  const [header = ""] = token.split(".");
  const claims = JSON.stringify({ ...claimsOf(token), ...changes });
  const signed = `${header}.${Buffer.from(claims).toString("base64url")}`;
  const signature = sign("sha256", Buffer.from(signed), createPrivateKey(keyPem));
  return `${signed}.${signature.toString("base64url")}`;
}
