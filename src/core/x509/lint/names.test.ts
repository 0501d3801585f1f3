import {
  dnsName,
  leafContext,
  names,
  testLeafLints,
  uri,
  type Change,
  type Fault,
} from "../../../../test/support/lint.ts";
import { commonName, sequence, text } from "../../../../test/support/der.ts";
import { nameLints, servingNameLints } from "./names.ts";
import { spiffeIdLints } from "./spiffe-id.ts";

const id = "spiffe://cluster.local/ns/shop/sa/cart";
const named = (...list: readonly Uint8Array[]): Change => ({ replaced: { names: names(list) } });
const as = (...[lint, title, value]: readonly [string, string, string]): Fault => ({
  lint,
  title,
  change: named(uri(value)),
});

testLeafLints(
  [...spiffeIdLints, ...nameLints, ...servingNameLints],
  [
    { lint: "one-uri", title: "a second URI", change: named(uri(id), uri(id)) },
    as("spiffe-scheme", "another scheme", "https://cluster.local/ns/shop/sa/cart"),
    as("spiffe-scheme", "a scheme in upper case", "SPIFFE://cluster.local/ns"),
    as("spiffe-scheme", "no scheme", "//cluster.local/ns"),
    as("spiffe-trust-domain-present", "no trust domain", "spiffe:///ns"),
    as("spiffe-trust-domain-present", "no authority", "spiffe:/ns"),
    as("spiffe-no-userinfo", "a user", "spiffe://user@cluster.local/ns"),
    as("spiffe-no-userinfo", "a user with a password", "spiffe://user:pass@cluster.local/ns"),
    as("spiffe-no-port", "a port", "spiffe://cluster.local:8443/ns"),
    as("spiffe-no-port", "the colon of a port", "spiffe://cluster.local:/ns"),
    as("spiffe-trust-domain-characters", "a trust domain in upper case", "spiffe://Cluster/ns"),
    as("spiffe-trust-domain-characters", "an encoded octet in one", "spiffe://%61/ns"),
    as("spiffe-trust-domain-length", "one of 256 bytes", `spiffe://${"a".repeat(256)}/ns`),
    as("spiffe-length", "a SPIFFE ID of 2,049 bytes", `spiffe://td/${"a".repeat(2_037)}`),
    as("spiffe-no-query", "a query", `${id}?a`),
    as("spiffe-no-query", "an empty query", `${id}?`),
    as("spiffe-no-fragment", "a fragment", `${id}#a`),
    as("spiffe-path-present", "a trust domain alone", "spiffe://cluster.local"),
    as("spiffe-path-present", "the root of one", "spiffe://cluster.local/"),
    as("spiffe-path-characters", "an encoded octet in a path", "spiffe://cluster.local/%2e%2e"),
    as("spiffe-path-characters", "a colon in a path", "spiffe://cluster.local/a:b"),
    as("spiffe-no-empty-segment", "an empty segment", "spiffe://cluster.local/ns//sa"),
    as("spiffe-no-empty-segment", "a trailing slash", "spiffe://cluster.local/ns/"),
    as("spiffe-no-empty-segment", "two slashes for a path", "spiffe://cluster.local//"),
    as("spiffe-no-dot-segment", "a dot segment", "spiffe://cluster.local/./ns"),
    as("spiffe-no-dot-segment", "two dots at the end", "spiffe://cluster.local/ns/.."),

    { lint: "subject-empty", title: "a subject", change: { subject: commonName("cart") } },
    {
      lint: "san-critical-without-subject",
      title: "names that are not critical",
      change: { replaced: { names: names([uri(id)], false) } },
    },
    {
      lint: "san-types",
      title: "an e-mail address",
      change: named(uri(id), text(0x81, "cart@example")),
    },
    ...["a_b", "-a", "a-", "a..b", "a.", "*.a", "a".repeat(64), `${"a.".repeat(126)}ab`].map(
      (name) => ({
        lint: "dns-name-syntax",
        title: `the DNS name ${name.slice(0, 10)}`,
        change: named(dnsName(name)),
        profile: "serving" as const,
      }),
    ),
    {
      lint: "issuer-present",
      title: "an issuer without a name, as its own certificate has none",
      change: { issuer: sequence(), underIssuer: { subjectDer: sequence() } },
    },
    {
      lint: "issuer-of-authority",
      title: "another issuer's name",
      change: { issuer: commonName("another") },
    },
    {
      lint: "issuer-of-authority",
      title: "the name that an issuer had before",
      change: { underIssuer: { subjectDer: commonName(`${leafContext.nowMs}`) } },
    },
    {
      lint: "serving-no-uri",
      title: "a SPIFFE ID of a control plane",
      change: named(dnsName("localhost"), uri(id)),
      profile: "serving",
    },
  ],
);
