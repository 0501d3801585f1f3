/**
 * Which rule of an operator is for a token of another issuer: the one whose every claim has one of
 * its allowed values, exactly. Rules have no order: a token that two of them fit is refused, because
 * the operator meant one of them only.
 */

import { AuthnError, quoted } from "./authn-error.ts";
import type { JsonObject } from "./json-object.ts";
import { isJsonObject } from "./json-object.ts";
import type { PathTemplate } from "./path-template.ts";

export interface ClaimRule {
  /** All must hold; at least one. */
  readonly match: readonly ClaimMatch[];
  readonly spiffeId: PathTemplate;
}

export interface ClaimMatch {
  /** Dotted path into the claims. */
  readonly claim: string;
  readonly allowed: readonly string[];
}

/** @throws AuthnError `token-no-rule`, `token-ambiguous-rule` */
export function decideClaimRule(rules: readonly ClaimRule[], claims: JsonObject): ClaimRule {
  const [rule, second] = rules.filter(({ match }) => match.every((each) => holds(each, claims)));
  if (rule === undefined) throw noRule(rules, claims);
  if (second === undefined) return rule;
  const templates = `${rule.spiffeId.text} and ${second.spiffeId.text}`;
  throw new AuthnError("token-ambiguous-rule", `more than one rule fits: ${templates}`, {
    hint: "make the rules' matches exclude each other",
  });
}

/** A claim whose own name has a dot in it has no path. */
export function claimAt(claims: JsonObject, path: string): unknown {
  return path.split(".").reduce<unknown>((parent, name) => {
    return isJsonObject(parent) && Object.hasOwn(parent, name) ? parent[name] : undefined;
  }, claims);
}

/** For each rule the first claim that keeps it away: what the rule wants, and what came. */
function noRule(rules: readonly ClaimRule[], claims: JsonObject): AuthnError {
  const reasons = rules.slice(0, SHOWN_MAX).flatMap(({ match, spiffeId }) => {
    const missed = match.filter((each) => !holds(each, claims)).slice(0, 1);
    return missed.map((each) => `${spiffeId.text} wants ${each.claim} ${difference(each, claims)}`);
  });
  const message = `no rule of this issuer fits: ${reasons.join("; ")}${more(rules)}`;
  return new AuthnError("token-no-rule", message);
}

function difference({ claim, allowed }: ClaimMatch, claims: JsonObject): string {
  const want = allowed.slice(0, SHOWN_MAX).map(quoted).join(" or ") + more(allowed);
  const value = claimAt(claims, claim);
  return `to be ${want}, got ${value === undefined ? "no such claim" : quoted(value)}`;
}

function more(all: readonly unknown[]): string {
  return all.length > SHOWN_MAX ? ` (and ${all.length - SHOWN_MAX} more)` : "";
}

const SHOWN_MAX = 4;

function holds({ claim, allowed }: ClaimMatch, claims: JsonObject): boolean {
  const value = claimAt(claims, claim);
  return typeof value === "string" && allowed.includes(value);
}
