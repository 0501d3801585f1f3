/**
 * The claims of a service-account token (RFC 7519 4.1, and the private claim `kubernetes.io` of
 * bound tokens), from untyped JSON to a frozen value. This file says only whether the claims make
 * sense by themselves; what they must say is decided in kubernetes-caller.ts. It must never be
 * given claims whose signature was not verified.
 */

import type { RegisteredClaims } from "./registered-claims.ts";
import {
  asObject,
  asOpaqueId,
  asString,
  parseRegisteredClaims,
  unfit,
} from "./registered-claims.ts";
import { isDnsSubdomain } from "./service-account.ts";

export interface TokenClaims extends RegisteredClaims {
  readonly issuer: string;
  readonly subject: string;
  readonly binding: TokenBinding | undefined;
}

/**
 * What the issuer bound the token to; every object is named by its UID too, so that a successor is
 * not it.
 */
interface TokenBinding {
  readonly namespace: string;
  readonly serviceAccount: BoundObject;
  readonly pod: BoundObject | undefined;
  readonly node: BoundNode | undefined;
  readonly secret: BoundObject | undefined;
}

export interface BoundObject {
  readonly name: string;
  readonly uid: string;
}

/** A node that was deleted in the meantime has lost its UID in the token, but not its name. */
export interface BoundNode {
  readonly name: string;
  readonly uid?: string;
}

/** @throws AuthnError `token-claims` */
export function parseTokenClaims(payload: unknown): TokenClaims {
  const claims = asObject(payload, "the claims");
  return Object.freeze({
    ...parseRegisteredClaims(claims),
    issuer: asString(claims["iss"], "iss"),
    subject: asString(claims["sub"], "sub"),
    binding: parseBinding(claims["kubernetes.io"]),
  });
}

function parseBinding(value: unknown): TokenBinding | undefined {
  if (value === undefined) return undefined;
  const claim = asObject(value, "kubernetes.io");
  const { namespace, serviceaccount, pod, node, secret } = claim;
  return Object.freeze({
    namespace: asString(namespace, "kubernetes.io namespace"),
    serviceAccount: parseBoundObject(serviceaccount, "kubernetes.io serviceaccount"),
    pod: pod === undefined ? undefined : parseBoundObject(pod, "kubernetes.io pod"),
    node: node === undefined ? undefined : parseBoundNode(node, "kubernetes.io node"),
    secret: secret === undefined ? undefined : parseBoundObject(secret, "kubernetes.io secret"),
  });
}

function parseBoundObject(value: unknown, claim: string): BoundObject {
  const { name, uid } = asObject(value, claim);
  return Object.freeze({
    name: asObjectName(name, `${claim} name`),
    uid: asOpaqueId(uid, `${claim} uid`),
  });
}

function parseBoundNode(value: unknown, claim: string): BoundNode {
  const { name, uid } = asObject(value, claim);
  const node = { name: asObjectName(name, `${claim} name`) };
  if (uid === undefined) return Object.freeze(node);
  return Object.freeze({ ...node, uid: asOpaqueId(uid, `${claim} uid`) });
}

function asObjectName(value: unknown, claim: string): string {
  if (typeof value === "string" && isDnsSubdomain(value)) return value;
  throw unfit(claim, "a DNS subdomain", value);
}
