/**
 * The claims that every token here has whoever made it (RFC 7519 4.1), from untyped JSON to a
 * frozen value, and the readers of single claims. This file says only whether the claims make sense
 * by themselves. It must never be given claims whose signature was not verified.
 */

import { AuthnError, quoted } from "./authn-error.ts";
import type { JsonObject } from "./json-object.ts";
import { isJsonObject } from "./json-object.ts";

export interface RegisteredClaims {
  readonly audiences: readonly string[];
  readonly tokenId: string | undefined;
  readonly issuedAtMs: number | undefined;
  readonly validity: TokenValidity;
}

/** When a token counts, in Unix milliseconds. */
export interface TokenValidity {
  /** The later of `nbf` and `iat`, of those that the token has. */
  readonly notBeforeMs: number | undefined;
  readonly expiresAtMs: number;
}

/** @throws AuthnError `token-claims` */
export function parseRegisteredClaims(claims: JsonObject): RegisteredClaims {
  const issuedAtMs = parseTime(claims["iat"], "iat");
  const notBeforeMs = parseTime(claims["nbf"], "nbf");
  const expiresAtMs = parseTime(claims["exp"], "exp");
  if (expiresAtMs === undefined) throw unfit("exp", "a time", undefined);
  return Object.freeze({
    audiences: parseAudiences(claims["aud"]),
    tokenId: claims["jti"] === undefined ? undefined : asOpaqueId(claims["jti"], "jti"),
    issuedAtMs,
    validity: Object.freeze({ notBeforeMs: latest(notBeforeMs, issuedAtMs), expiresAtMs }),
  });
}

/**
 * UIDs and token IDs are opaque, but they are kept and logged: short, printable, without spaces.
 */
export function asOpaqueId(value: unknown, claim: string): string {
  if (typeof value === "string" && OPAQUE_ID.test(value)) return value;
  throw unfit(claim, "1 to 128 printable characters", value);
}

export function asString(value: unknown, claim: string): string {
  if (typeof value === "string") return value;
  throw unfit(claim, "a string", value);
}

export function asObject(value: unknown, claim: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw unfit(claim, "an object", value);
}

export function unfit(claim: string, expected: string, got: unknown): AuthnError {
  return new AuthnError("token-claims", `${claim}: expected ${expected}, got ${quoted(got)}`);
}

/** The last second of the year 9999, where RFC 5280 ends time, too. */
const UNIX_SECONDS_MAX = 253_402_300_799;

/**
 * Issuers write whole seconds; a fraction, a string or an overflowing number was written by
 * something else.
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

const OPAQUE_ID = /^[\x21-\x7e]{1,128}$/;
