/**
 * Which rule of an operator is for a certificate of another PKI: by one of its names, exactly, or
 * by a DNS name with one label left open. Exactly one rule with exactly one name must fit, so a
 * certificate with two names that would do is nobody.
 */

import type { SpiffeId, TrustDomain } from "../spiffe/id.ts";
import { AuthnError } from "./authn-error.ts";
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

/** @throws AuthnError `token-no-rule`, `token-ambiguous-rule`, `token-identity` */
export function decideX5cIdentity(
  rules: readonly X5cRule[],
  names: CertificateNames,
  trustDomain: TrustDomain,
): { readonly id: SpiffeId; readonly rule: string } {
  const fits = rules.flatMap(({ match, spiffeId }) =>
    matchNames(match, names).map((values) => ({ values, spiffeId })),
  );
  const [fit, second] = fits;
  if (fit === undefined) {
    throw new AuthnError("token-no-rule", "no rule of this entry fits the certificate");
  }
  if (second !== undefined) {
    const templates = `${fit.spiffeId.text} and ${second.spiffeId.text}`;
    const message = `more than one rule or name of the certificate fits: ${templates}`;
    throw new AuthnError("token-ambiguous-rule", message);
  }
  const { values, spiffeId } = fit;
  const id = expandPathTemplate(spiffeId, trustDomain, (name) => values.get(name));
  return { id, rule: spiffeId.text };
}

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
