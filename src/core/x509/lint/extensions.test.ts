import {
  CLIENT_AUTH,
  SERVER_AUTH,
  constraints,
  issuerKey,
  ownKey,
  purpose,
  rsaKey,
  testLeafLints,
  usage,
} from "../../../../test/support/lint.ts";
import { extension } from "../../../../test/support/certificate.ts";
import { boolean, octetString, oid, sequence } from "../../../../test/support/der.ts";
import { ecTestKey } from "../../../../test/support/csr.ts";
import { extensionLints } from "./extensions.ts";
import { keyUsageLints, servingPurpose, workloadPurpose } from "./key-usage.ts";

const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
const other = ecTestKey("P-256");

testLeafLints(
  [...extensionLints, ...keyUsageLints, workloadPurpose, servingPurpose],
  [
    {
      lint: "no-foreign-extension",
      title: "a policy",
      change: {
        added: [extension("2.5.29.32", sequence(sequence(oid("2.5.29.32.0"))))],
      },
    },
    {
      lint: "no-foreign-extension",
      title: "a critical name constraint",
      change: { added: [extension("2.5.29.30", sequence(), true)] },
    },
    {
      lint: "basic-constraints-critical",
      title: "no basic constraints",
      change: { replaced: { constraints: undefined } },
    },
    {
      lint: "basic-constraints-critical",
      title: "basic constraints that are not critical",
      change: { replaced: { constraints: constraints(sequence(), false) } },
    },
    {
      lint: "not-a-ca",
      title: "cA true",
      change: { replaced: { constraints: constraints(sequence(boolean(true))) } },
    },
    {
      lint: "authority-key-id-not-critical",
      title: "a critical authority key identifier",
      change: { replaced: { issuerKey: issuerKey(undefined, true) } },
    },
    {
      lint: "authority-key-id-of-issuer",
      title: "no authority key identifier",
      change: { replaced: { issuerKey: undefined } },
    },
    {
      lint: "authority-key-id-of-issuer",
      title: "one that identifies no key",
      change: { replaced: { issuerKey: extension("2.5.29.35", sequence()) } },
    },
    {
      lint: "authority-key-id-of-issuer",
      title: "that of another key under the same name",
      change: { replaced: { issuerKey: issuerKey(new Uint8Array(20).fill(8)) } },
    },
    {
      lint: "subject-key-id-not-critical",
      title: "a critical subject key identifier",
      change: { spki: other.spki, replaced: { ownKey: ownKey(other.spki, true) } },
    },
    {
      lint: "subject-key-id-of-key",
      title: "no subject key identifier",
      change: { replaced: { ownKey: undefined } },
    },
    {
      lint: "subject-key-id-of-key",
      title: "that of another key",
      change: { replaced: { ownKey: ownKey(other.spki) } },
    },
    {
      lint: "subject-key-id-of-key",
      title: "one of 32 octets",
      change: { replaced: { ownKey: extension("2.5.29.14", octetString(new Uint8Array(32))) } },
    },
    {
      lint: "key-usage-critical",
      title: "a key usage that is not critical",
      change: { replaced: { usage: usage(0x80, 7, false) } },
    },
    {
      lint: "key-usage-digital-signature",
      title: "an RSA key that may encipher and not sign",
      change: { spki: rsaKey.spki, replaced: { usage: usage(0x20, 5) } },
    },
    {
      lint: "key-usage-no-cert-sign",
      title: "keyCertSign",
      change: { replaced: { usage: usage(0x84, 2) } },
    },
    {
      lint: "key-usage-no-crl-sign",
      title: "cRLSign",
      change: { replaced: { usage: usage(0x82, 1) } },
    },
    {
      lint: "key-usage-of-key",
      title: "keyEncipherment of an EC key",
      change: { replaced: { usage: usage(0xa0, 5) } },
    },
    {
      lint: "key-usage-of-key",
      title: "keyAgreement of an RSA key",
      change: { spki: rsaKey.spki, replaced: { usage: usage(0x88, 3) } },
    },
    {
      lint: "extended-key-usage-not-critical",
      title: "critical purposes",
      change: { replaced: { purpose: purpose([SERVER_AUTH, CLIENT_AUTH], true) } },
    },
    ...[
      [],
      [SERVER_AUTH],
      [CLIENT_AUTH],
      [CLIENT_AUTH, SERVER_AUTH],
      [SERVER_AUTH, CLIENT_AUTH, CODE_SIGNING],
      [SERVER_AUTH, CLIENT_AUTH, CLIENT_AUTH],
    ].map((purposes) => ({
      lint: "extended-key-usage-workload",
      title: `the purposes "${purposes.join()}" of a workload`,
      change: { replaced: { purpose: purposes.length === 0 ? undefined : purpose(purposes) } },
    })),
    ...[[], [CLIENT_AUTH], [SERVER_AUTH, CLIENT_AUTH]].map((purposes) => ({
      lint: "extended-key-usage-serving",
      title: `the purposes "${purposes.join()}" of a control plane`,
      change: { replaced: { purpose: purposes.length === 0 ? undefined : purpose(purposes) } },
      profile: "serving" as const,
    })),
  ],
);
