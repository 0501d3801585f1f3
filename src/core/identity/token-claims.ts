/**
 * The claims of a service-account token (RFC 7519 4.1, and the private claim `kubernetes.io` of
 * bound tokens), from untyped JSON to a frozen value. This file says only whether the claims make
 * sense by themselves; what they must say is decided in caller.ts. It must never be given claims
 * whose signature was not verified.
 */

import { AuthnError, quoted } from "./authn-error.ts";
import type { JsonObject } from "./json-object.ts";
import { isJsonObject } from "./json-object.ts";
import { isDnsSubdomain } from "./service-account.ts";

export interface TokenClaims {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly subject: string;
  readonly tokenId: string | undefined;
  readonly validity: TokenValidity;
  readonly binding: TokenBinding | undefined;
}

/** When a token counts, in Unix milliseconds. */
export interface TokenValidity {
  /** The later of `nbf` and `iat`, of those that the token has. */
  readonly notBeforeMs: number | undefined;
  readonly expiresAtMs: number;
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
  const issuedAtMs = parseTime(claims["iat"], "iat");
  const notBeforeMs = parseTime(claims["nbf"], "nbf");
  const expiresAtMs = parseTime(claims["exp"], "exp");
  if (expiresAtMs === undefined) throw unfit("exp", "a time", undefined);
  return Object.freeze({
    issuer: asString(claims["iss"], "iss"),
    audiences: parseAudiences(claims["aud"]),
    subject: asString(claims["sub"], "sub"),
    tokenId: claims["jti"] === undefined ? undefined : asOpaqueId(claims["jti"], "jti"),
    validity: Object.freeze({ notBeforeMs: latest(notBeforeMs, issuedAtMs), expiresAtMs }),
    binding: parseBinding(claims["kubernetes.io"]),
  });
}

/** The last second of the year 9999, where RFC 5280 ends time, too. */
const UNIX_SECONDS_MAX = 253_402_300_799;

/**
 * Kubernetes writes whole seconds; a fraction, a string or an overflowing number was not written by
 * it.
 */
function parseTime(value: unknown, claim: string): number | undefined {
  if (value === undefined) return undefined;
  const isTime = typeof value === "number" && Number.isInteger(value);
  if (isTime && value >= 0 && value <= UNIX_SECONDS_MAX) return value * 1000;
  throw unfit(claim, "whole Unix seconds", value);
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.max(a, b);
}

/** RFC 7519 4.1.3: one string, or a list of strings. */
function parseAudiences(value: unknown): readonly string[] {
  if (typeof value === "string") return Object.freeze([value]);
  if (!Array.isArray(value)) throw unfit("aud", "a string or a list of strings", value);
  return Object.freeze(value.map((audience) => asString(audience, "aud")));
}

function parseBinding(value: unknown): TokenBinding | undefined {
  if (value === undefined) return undefined;
  const claim = asObject(value, "kubernetes.io");
  const { namespace, serviceaccount, pod, node } = claim;
  return Object.freeze({
    namespace: asString(namespace, "kubernetes.io namespace"),
    serviceAccount: parseBoundObject(serviceaccount, "kubernetes.io serviceaccount"),
    pod: pod === undefined ? undefined : parseBoundObject(pod, "kubernetes.io pod"),
    node: node === undefined ? undefined : parseBoundNode(node, "kubernetes.io node"),
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

/**
 * UIDs and token IDs are opaque, but they are kept and logged: short, printable, without spaces.
 */
function asOpaqueId(value: unknown, claim: string): string {
  if (typeof value === "string" && OPAQUE_ID.test(value)) return value;
  throw unfit(claim, "1 to 128 printable characters", value);
}

const OPAQUE_ID = /^[\x21-\x7e]{1,128}$/;

function asString(value: unknown, claim: string): string {
  if (typeof value === "string") return value;
  throw unfit(claim, "a string", value);
}

function asObject(value: unknown, claim: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw unfit(claim, "an object", value);
}

function unfit(claim: string, expected: string, got: unknown): AuthnError {
  return new AuthnError("token-claims", `${claim}: expected ${expected}, got ${quoted(got)}`);
}
