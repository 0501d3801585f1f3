/**
 * `identities` of the configuration file: its shape for the schema of the whole file, and the rules
 * in it, compiled. A rule that could never be meant is refused here, with its place, and not when a
 * token comes.
 */

import { z } from "zod";

import { PortcullisError } from "../../core/error.ts";
import type { ClaimMatch, ClaimRule } from "../../core/identity/claim-rule.ts";
import { isJsonObject } from "../../core/identity/json-object.ts";
import {
  expandPathTemplate,
  isValueName,
  parsePathTemplate,
  valueNames,
  type PathTemplate,
} from "../../core/identity/path-template.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { X5C_VALUE_NAMES, type X5cMatch, type X5cRule } from "../../core/identity/x5c-rule.ts";
import { ConfigError } from "./config-error.ts";
import type { IdentityConfig, OidcIssuerConfig, X5cEntryConfig } from "./identity-config.ts";
import { absolutePath, dnsName, jwksLocation, nonEmpty } from "./setting.ts";

/** As it stands in the file, with the right shape. */
export interface IdentitiesInput {
  readonly oidc?: readonly OidcInput[] | undefined;
  readonly x5c?: readonly X5cInput[] | undefined;
}

interface OidcInput extends EntryInput {
  readonly issuer: string;
  readonly jwks: string;
}

interface X5cInput extends EntryInput {
  readonly name: string;
  readonly roots: string;
}

interface EntryInput {
  readonly audiences: readonly string[];
  readonly rules: readonly RuleInput[];
}

interface RuleInput {
  /** Read from the file as it is: a schema would let a key `__proto__` drop out. */
  readonly match?: unknown;
  readonly spiffeId: string;
}

const text = z.string();
const rule = z.strictObject({ match: z.unknown(), spiffeId: text });
const common = { audiences: z.array(text), rules: z.array(rule) };
const oidcSchema = z.strictObject({ issuer: text, jwks: text, ...common });
const x5cSchema = z.strictObject({ name: text, roots: text, ...common });

export const identitiesSchema: z.ZodType<IdentitiesInput> = z.strictObject({
  oidc: z.array(oidcSchema).optional(),
  x5c: z.array(x5cSchema).optional(),
});

/**
 * @param at the file's name, a colon and `identities`
 * @throws ConfigError
 */
export function parseIdentities(
  { oidc = [], x5c = [] }: IdentitiesInput,
  at: string,
): IdentityConfig {
  const issuers = oidc.map((entry, index) => parseIssuer(entry, `${at}.oidc.${index}`));
  const entries = x5c.map((entry, index) => parseEntry(entry, `${at}.x5c.${index}`));
  assertOnce(issuers, "issuer");
  assertOnce(entries, "name");
  return Object.freeze({ oidc: Object.freeze(issuers), x5c: Object.freeze(entries) });
}

/** Keys that may stand below `parent`, a dotted path that ends with a dot: for "did you mean". */
export function identityKeys(parent: string): readonly string[] {
  return KEYS.get(parent.replaceAll(/\.\d+\./g, ".*.")) ?? [];
}

const ANY_TRUST_DOMAIN = TrustDomain.parse("example");
const RULE_KEYS = ["match", "spiffeId"];
const KEYS: ReadonlyMap<string, readonly string[]> = new Map([
  ["", ["identities"]],
  ["identities.", ["oidc", "x5c"]],
  ["identities.oidc.*.", Object.keys(oidcSchema.shape)],
  ["identities.oidc.*.rules.*.", RULE_KEYS],
  ["identities.x5c.*.", Object.keys(x5cSchema.shape)],
  ["identities.x5c.*.rules.*.", RULE_KEYS],
]);

function parseIssuer(entry: OidcInput, place: string): OidcIssuerConfig {
  return Object.freeze({
    issuer: read(() => nonEmpty(entry.issuer), `${place}.issuer`),
    jwks: read(() => jwksLocation(entry.jwks), `${place}.jwks`),
    audiences: parseAudiences(entry.audiences, place),
    rules: parseRules(entry.rules, place, parseClaimRule),
    place,
  });
}

function parseEntry(entry: X5cInput, place: string): X5cEntryConfig {
  return Object.freeze({
    name: read(() => nonEmpty(entry.name), `${place}.name`),
    roots: read(() => absolutePath(entry.roots), `${place}.roots`),
    audiences: parseAudiences(entry.audiences, place),
    rules: parseRules(entry.rules, place, parseX5cRule),
    place,
  });
}

/** Without an audience, a token for anybody else would do. */
function parseAudiences(audiences: readonly string[], place: string): readonly string[] {
  if (audiences.length === 0) throw invalid(`${place}.audiences`, "at least one audience");
  return Object.freeze(
    audiences.map((audience, index) =>
      read(() => nonEmpty(audience), `${place}.audiences.${index}`),
    ),
  );
}

function parseRules<T>(
  rules: readonly RuleInput[],
  place: string,
  parse: (rule: RuleInput, place: string) => T,
): readonly T[] {
  if (rules.length === 0) throw invalid(`${place}.rules`, "at least one rule");
  return Object.freeze(rules.map((rule, index) => parse(rule, `${place}.rules.${index}`)));
}

function parseClaimRule({ match, spiffeId }: RuleInput, place: string): ClaimRule {
  const template = parseTemplate(spiffeId, place);
  const claims = matchEntries(match, `${place}.match`);
  const matches = claims.map(([claim, value]) => parseClaimMatch(claim, value, `${place}.match`));
  return Object.freeze({ match: Object.freeze(matches), spiffeId: template });
}

function parseClaimMatch(claim: string, value: unknown, place: string): ClaimMatch {
  const at = `${place}.${claim}`;
  if (!isValueName(claim)) throw invalid(at, "the dotted path of a claim");
  const allowed = [value].flat();
  const texts = allowed.filter((each) => typeof each === "string");
  if (allowed.length === 0 || texts.length < allowed.length) {
    throw invalid(at, "a string, or a list of strings");
  }
  return Object.freeze({ claim, allowed: Object.freeze(texts) });
}

function parseX5cRule({ match, spiffeId }: RuleInput, place: string): X5cRule {
  const template = parseTemplate(spiffeId, place);
  const x5cMatch = parseX5cMatch(match, `${place}.match`);
  const known = X5C_VALUE_NAMES[x5cMatch.kind];
  const foreign = valueNames(template).find((name) => !known.includes(name));
  if (foreign !== undefined) {
    const names = known.map((name) => `{${name}}`).join(" or ") || "no {value}";
    throw invalid(`${place}.spiffeId`, `${names} for this match, got {${foreign}}`);
  }
  if (x5cMatch.kind !== "dns-label") {
    // The only name that can fit is known, and so is whether it makes an ID.
    const { value } = x5cMatch;
    read(() => expandPathTemplate(template, ANY_TRUST_DOMAIN, () => value), `${place}.spiffeId`);
  }
  return Object.freeze({ match: x5cMatch, spiffeId: template });
}

function parseX5cMatch(match: unknown, place: string): X5cMatch {
  const [[key, value] = ["", ""], second] = matchEntries(match, place);
  if (second !== undefined) throw invalid(place, "exactly one of dns, uri, commonName");
  const at = `${place}.${key}`;
  if (typeof value !== "string" || value === "") throw invalid(at, "a string");
  switch (key) {
    case "dns": {
      const isWildcard = value.startsWith("*.");
      const name = read(() => dnsName(isWildcard ? value.slice(2) : value), at);
      if (isWildcard) return Object.freeze({ kind: "dns-label", suffix: `.${name}` });
      return Object.freeze({ kind: "dns", value: name });
    }
    case "uri":
    case "commonName":
      return Object.freeze({ kind: key, value });
    default:
      throw new ConfigError("config-unknown-key", at, "expected one of dns, uri, commonName");
  }
}

/** Without a match, everybody would fit. */
function matchEntries(match: unknown, place: string): readonly (readonly [string, unknown])[] {
  const entries = isJsonObject(match) ? Object.entries(match) : [];
  if (entries.length === 0) throw invalid(place, "a mapping with at least one key");
  return entries;
}

function parseTemplate(spiffeId: string, place: string): PathTemplate {
  return read(() => parsePathTemplate(spiffeId), `${place}.spiffeId`);
}

function assertOnce<K extends string>(
  entries: readonly (Readonly<Record<K, string>> & { readonly place: string })[],
  key: K,
): void {
  const seen = new Map<string, string>();
  for (const entry of entries) {
    const first = seen.get(entry[key]);
    if (first !== undefined) {
      const reason = `expected each ${key} once, got that of ${first} again`;
      throw new ConfigError("config-conflict", `${entry.place}.${key}`, reason);
    }
    seen.set(entry[key], entry.place);
  }
}

function read<T>(parse: () => T, place: string): T {
  try {
    return parse();
  } catch (cause) {
    if (!(cause instanceof PortcullisError)) throw cause;
    const { message, hint } = cause;
    const options = { cause, ...(hint !== undefined && { hint }) };
    throw new ConfigError("config-invalid-value", place, message, options);
  }
}

function invalid(place: string, expected: string): ConfigError {
  return new ConfigError("config-invalid-value", place, `expected ${expected}`);
}
