/**
 * Which rule of an operator is for a certificate of another PKI: by one of its names, exactly, or
 * by a DNS name with one label left open. Exactly one rule with exactly one name must fit, so a
 * certificate with two names that would do is nobody.
 */

import type { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { AuthnError, quoted } from "./authn-error.ts";
import { expandPathTemplate, type PathTemplate } from "./path-template.ts";
import { isDnsLabel } from "./service-account.ts";

export interface X5cRule {
  readonly match: X5cMatch;
  readonly spiffeId: PathTemplate;
}

export type X5cMatch =
  | { readonly kind: "dns" | "uri" | "commonName"; readonly value: string }
  /** `*.corp.example`, as the suffix `.corp.example`. */
  | { readonly kind: "dns-label"; readonly suffix: string };

/** The names in a verified certificate. */
export interface CertificateNames {
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
  readonly commonName: string | undefined;
}

/** What a template may name, by the kind of its rule's match. A URI is no segment of a path. */
export const X5C_VALUE_NAMES: Readonly<Record<X5cMatch["kind"], readonly string[]>> = {
  dns: ["dns"],
  "dns-label": ["dns", "dns.label"],
  uri: [],
  commonName: ["commonName"],
};

/** One entry of the configuration. */
export interface X5cRuleSet {
  /** For the log. */
  readonly name: string;
  readonly rules: readonly X5cRule[];
  readonly trustDomain: TrustDomain;
}

/** @throws AuthnError `token-no-rule`, `token-ambiguous-rule`, `token-identity` */
export function decideX5cIdentity(
  { name, rules, trustDomain }: X5cRuleSet,
  names: CertificateNames,
): { readonly id: SpiffeId; readonly rule: string } {
  const fits = rules.flatMap(({ match, spiffeId }) =>
    matchNames(match, names).map((values): Fit => ({ match, spiffeId, values })),
  );
  const [fit, second] = fits;
  if (fit === undefined) {
    const message = `no rule of ${quoted(name)} fits a certificate of ${namesText(names)}`;
    throw new AuthnError("token-no-rule", message);
  }
  const { spiffeId } = fit;
  const id = idOf(fit, trustDomain);
  if (second === undefined) return { id, rule: spiffeId.text };
  const both = [fit, second].map((each) => `${each.spiffeId.text} ${fitText(each, trustDomain)}`);
  const message = `more than one rule or name of the certificate fits: ${both.join(" and ")}`;
  throw new AuthnError("token-ambiguous-rule", message);
}

interface Fit extends X5cRule {
  readonly values: Values;
}

function idOf({ spiffeId, values }: Fit, trustDomain: TrustDomain): SpiffeId {
  return expandPathTemplate(spiffeId, trustDomain, (name) => values.get(name));
}

function fitText(fit: Fit, trustDomain: TrustDomain): string {
  const { match, values } = fit;
  const by = match.kind === "dns-label" ? (values.get("dns") ?? "") : match.value;
  const kind = match.kind === "dns-label" ? "dns" : match.kind;
  return `gives ${idOf(fit, trustDomain).path} for ${kind} ${quoted(by)}`;
}

/** What a rule could have matched, as far as it fits into a line. */
function namesText({ dnsNames, uris, commonName }: CertificateNames): string {
  const all = [
    ...dnsNames.map((each) => `dns ${quoted(each)}`),
    ...uris.map((each) => `uri ${quoted(each)}`),
    ...(commonName === undefined ? [] : [`commonName ${quoted(commonName)}`]),
  ];
  const more = all.length > NAMES_SHOWN_MAX ? ` (and ${all.length - NAMES_SHOWN_MAX} more)` : "";
  return `${all.slice(0, NAMES_SHOWN_MAX).join(", ") || "no name"}${more}`;
}

const NAMES_SHOWN_MAX = 4;

type Values = ReadonlyMap<string, string>;

/** The values for the template, once for each name of the certificate that fits. */
function matchNames(match: X5cMatch, names: CertificateNames): readonly Values[] {
  // One name that stands there twice is one name.
  const dnsNames = [...new Set(names.dnsNames)];
  switch (match.kind) {
    case "dns":
      return dnsNames.filter((dns) => dns === match.value).map((dns) => new Map([["dns", dns]]));
    case "dns-label":
      return dnsNames.flatMap((dns) => {
        const label = dns.endsWith(match.suffix) ? dns.slice(0, -match.suffix.length) : "";
        if (!isDnsLabel(label)) return [];
        return [
          new Map([
            ["dns", dns],
            ["dns.label", label],
          ]),
        ];
      });
    case "uri":
      return names.uris.includes(match.value) ? [new Map()] : [];
    case "commonName":
      return names.commonName === match.value ? [new Map([["commonName", match.value]])] : [];
    default:
      return match satisfies never;
  }
}
