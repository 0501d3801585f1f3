import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { extension } from "../../../../test/support/certificate.ts";
import { ecTestKey } from "../../../../test/support/csr.ts";
import {
  boolean,
  commonName,
  integer,
  octetString,
  sequence,
} from "../../../../test/support/der.ts";
import {
  assertCovered,
  brokenLints,
  constraints,
  lintedTbs,
  names,
  ownKey,
  purpose,
  SERVER_AUTH,
  uri,
  usage,
  type Change,
} from "../../../../test/support/lint.ts";
import { parseCertificate } from "../certificate.ts";
import { createRoot } from "../root.ts";
import { caLints, lintCa } from "./ca.ts";

const { spki } = ecTestKey("P-256");

function caTbs({ replaced, ...change }: Change): Uint8Array {
  return lintedTbs({
    subject: commonName("root"),
    spki,
    replaced: {
      usage: usage(0x06, 1),
      purpose: undefined,
      constraints: constraints(sequence(boolean(true))),
      issuerKey: undefined,
      names: undefined,
      ...replaced,
    },
    ...change,
  });
}

interface CaFault {
  readonly lint: string;
  readonly title: string;
  readonly change: Change;
}

const faults: readonly CaFault[] = [
  {
    lint: "basic-constraints-critical",
    title: "basic constraints that are not critical",
    change: { replaced: { constraints: constraints(sequence(boolean(true)), false) } },
  },
  {
    lint: "a-ca",
    title: "cA false",
    change: { replaced: { constraints: constraints(sequence()) } },
  },
  {
    lint: "key-usage-critical",
    title: "a key usage that is not critical",
    change: { replaced: { usage: usage(0x06, 1, false) } },
  },
  {
    lint: "ca-key-usage-cert-sign",
    title: "no keyCertSign",
    change: { replaced: { usage: usage(0x02, 1) } },
  },
  {
    lint: "ca-key-usage-crl-sign",
    title: "no cRLSign",
    change: { replaced: { usage: usage(0x04, 2) } },
  },
  {
    lint: "ca-key-usage-nothing-else",
    title: "digitalSignature",
    change: { replaced: { usage: usage(0x86, 1) } },
  },
  {
    lint: "ca-no-extended-key-usage",
    title: "a purpose",
    change: { replaced: { purpose: purpose([SERVER_AUTH]) } },
  },
  { lint: "ca-subject-present", title: "no subject", change: { subject: sequence() } },
  {
    lint: "ca-spiffe-id-without-path",
    title: "a SPIFFE ID with a path",
    change: { replaced: { names: names([uri("spiffe://cluster.local/root")], false) } },
  },
  {
    lint: "ca-spiffe-id-without-path",
    title: "two SPIFFE IDs",
    change: { replaced: { names: names([uri("spiffe://a"), uri("spiffe://b")], false) } },
  },
  {
    lint: "subject-key-id-not-critical",
    title: "a critical subject key identifier",
    change: { replaced: { ownKey: ownKey(spki, true) } },
  },
  {
    lint: "subject-key-id-of-key",
    title: "another key's identifier",
    change: { replaced: { ownKey: extension("2.5.29.14", octetString(new Uint8Array(20))) } },
  },
  {
    lint: "serial-at-most-128-bits",
    title: "a serial of 129 bits",
    change: { serial: integer(1n << 128n) },
  },
  { lint: "serial-not-a-counter", title: "the serial 1", change: { serial: integer(1n) } },
];

describe("of the lints of a CA", () => {
  it("none refuses a good one, with the SPIFFE ID of its trust domain or without", () => {
    assert.deepEqual(brokenLints(caLints, caTbs({}), undefined), []);
    const replaced = { names: names([uri("spiffe://cluster.local")], false) };
    assert.deepEqual(brokenLints(caLints, caTbs({ replaced }), undefined), []);
  });

  for (const { lint, title, change } of faults) {
    it(`${lint} alone refuses ${title}`, () => {
      assert.deepEqual(brokenLints(caLints, caTbs(change), undefined), [lint]);
    });
  }

  it("none is without a case that it refuses", () => assertCovered(caLints, faults));

  for (const keyType of ["p256", "p384", "rsa3072"] as const) {
    it(`none refuses a root of ours of type ${keyType}`, async () => {
      const { certificate } = await createRoot({
        trustDomain: "cluster.local",
        keyType,
        serial: new Uint8Array(16),
        nowMs: Date.UTC(2026, 10, 24, 12),
      });
      assert.equal(lintCa(parseCertificate(certificate).tbs).kind, "passed");
    });
  }
});
