/**
 * How to tell the tokens of `portcullis dev` from those of a cluster. Its issuer gives anybody any
 * identity, so a server that takes itself seriously refuses it under both of its names.
 */

/** In a domain that can never exist (RFC 6761 6.4). */
export const DEV_ISSUER = "https://dev.portcullis.invalid";
export const DEV_KEY_ID_PREFIX = "portcullis-dev-";

/** Whether tokens of this issuer or of these keys would come from `dev`. */
export function isDevIssuer(issuer: string, keyIds: readonly string[]): boolean {
  return issuer === DEV_ISSUER || keyIds.some((keyId) => keyId.startsWith(DEV_KEY_ID_PREFIX));
}
