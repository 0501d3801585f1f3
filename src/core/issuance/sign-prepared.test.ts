import assert from "node:assert/strict";
import { generateKeyPairSync, hash, randomBytes, sign, X509Certificate } from "node:crypto";
import { before, describe, it } from "node:test";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { ecTestKey } from "../../../test/support/csr.ts";
import { opensslVerify } from "../../../test/support/openssl-verify.ts";
import { PortcullisError } from "../error.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import type { Authority } from "./authority.ts";
import { preparedChecks } from "./check-issued.ts";
import { IssuanceError } from "./issuance-error.ts";
import { prepareLeaves, type PreparedLeaf } from "./prepare.ts";
import { signPrepared, type SignOutcome } from "./sign-prepared.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const policy = { defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 };
const publicKey = parsePublicKey(ecTestKey("P-256").spki);
const mallory = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

let test: TestAuthority;
let other: TestAuthority;
let prepared: readonly PreparedLeaf[];
before(async () => {
  [test, other] = await Promise.all([makeAuthority("p256", nowMs), makeAuthority("p384", nowMs)]);
  prepared = prepareFor(test.authority, 3);
});

function prepareFor(authority: Authority, count: number): readonly PreparedLeaf[] {
  const orders = Array.from({ length: count }, (_, index) => ({
    profile: "workload" as const,
    names: { uris: [`spiffe://cluster.local/w-${index}`] },
    publicKey,
    requestedTtlSeconds: 0n,
    serial: randomBytes(16),
  }));
  return prepareLeaves(orders, authority, policy, nowMs).map((each) => {
    if (each.kind === "refused") throw each.error;
    return each;
  });
}

type Sign = Authority["signer"]["sign"];

/** The authority with a signer that does something else at its second signature. */
function faultyAt2(faulty: Sign): Authority {
  const { authority } = test;
  let count = 0;
  const sign: Sign = (bytes) => (++count === 2 ? faulty(bytes) : authority.signer.sign(bytes));
  return { ...authority, signer: { ...authority.signer, sign } };
}

function silent(authority: Authority): Authority {
  const sign: Sign = () => assert.fail("it was signed");
  return { ...authority, signer: { ...authority.signer, sign } };
}

function refusal(outcome: SignOutcome | undefined): readonly unknown[] {
  assert.ok(outcome?.kind === "refused");
  assert.ok(outcome.error instanceof IssuanceError);
  const [, name = ""] = /fails ([a-z-]+) \(/.exec(outcome.error.message) ?? [];
  return [outcome.error.code, name, outcome.outcome];
}

describe("what is prepared", () => {
  it("is signed to the octet, and is verified by OpenSSL and by Node", () => {
    const issued = signPrepared(structuredClone(prepared), test.authority).map((outcome) => {
      if (outcome.kind === "refused") throw outcome.error;
      return outcome.certificate;
    });
    for (const [index, { der, serialHex, notAfterMs, digest }] of issued.entries()) {
      const certificate = parseCertificate(der);
      assert.equal(hex(certificate.tbs), hex(prepared[index]?.tbs));
      assert.equal(serialHex, certificate.serialHex);
      assert.equal(notAfterMs, certificate.notAfterMs);
      assert.equal(hex(digest), hash("sha256", der));
      assert.ok(new X509Certificate(der).verify(new X509Certificate(test.root).publicKey));
    }
    const ders = issued.map(({ der }) => der);
    opensslVerify(test.root, ders, nowMs, ["-purpose", "sslclient"]);
  });

  it("is not signed by an authority that has taken the place of its own", () => {
    const { authority } = test;
    for (const by of [
      other.authority,
      // The same name with a new key, as a renewed CA of an operator has it.
      { ...authority, issuer: { ...authority.issuer, keyId: other.authority.issuer.keyId } },
    ]) {
      const [outcome] = signPrepared(prepared, silent(by));
      assert.deepEqual(refusal(outcome), [
        "certificate-check-failed",
        "names-its-issuer",
        "failed",
      ]);
    }
    const signer = { ...authority.signer, algorithm: other.authority.signer.algorithm };
    const [outcome] = signPrepared(prepared, silent({ ...authority, signer }));
    assert.deepEqual(refusal(outcome), [
      "certificate-check-failed",
      "names-its-algorithm",
      "failed",
    ]);
  });

  it("is not signed when it has changed on its way", () => {
    const [leaf, next] = prepared;
    assert.ok(leaf !== undefined && next !== undefined);
    const { tbs, tbsDigest, serial } = next;
    for (const [changed, check] of [
      [{ ...leaf, tbs }, "tbs-as-prepared"],
      [{ ...leaf, tbsDigest }, "tbs-as-prepared"],
      [{ ...leaf, tbs, tbsDigest }, "fields-as-prepared"],
      [{ ...leaf, serial }, "fields-as-prepared"],
      [{ ...leaf, notAfterMs: leaf.notAfterMs + 1_000 }, "fields-as-prepared"],
    ] as const) {
      const [outcome] = signPrepared([changed], silent(test.authority));
      assert.deepEqual(refusal(outcome), ["certificate-check-failed", check, "failed"]);
    }
    const cut = { ...leaf, tbs: leaf.tbs.subarray(1) };
    const [outcome] = signPrepared([cut], silent(test.authority));
    assert.deepEqual(refusal(outcome), ["certificate-check-failed", "", "failed"]);
  });
});

describe("the checks before a signature", () => {
  it("are those that have a case above", () => {
    assert.deepEqual(
      preparedChecks.map(({ name }) => name),
      ["tbs-as-prepared", "fields-as-prepared", "names-its-issuer", "names-its-algorithm"],
    );
  });
});

describe("a signer", () => {
  const wrongs: readonly (readonly [string, Sign])[] = [
    ["with another key", (tbs) => sign("sha256", tbs, mallory)],
    ["of other bytes", (tbs) => test.authority.signer.sign(tbs.subarray(1))],
    [
      "of the certificate before",
      () => test.authority.signer.sign(prepared[0]?.tbs ?? Uint8Array.of()),
    ],
    ["of another digest", (tbs) => sign("sha384", tbs, test.privateKey)],
    ["that makes no signature", () => Uint8Array.of(0x30, 0)],
    ["that makes nothing", () => Uint8Array.of()],
  ];
  for (const [title, faulty] of wrongs) {
    it(`${title} is found out at every certificate, and costs the others nothing`, () => {
      const outcomes = signPrepared(prepared, faultyAt2(faulty));
      assert.deepEqual(
        outcomes.map(({ kind }) => kind),
        ["issued", "refused", "issued"],
      );
      const found = ["certificate-check-failed", "signature-verifies", "unknown"];
      assert.deepEqual(refusal(outcomes[1]), found);
    });
  }

  it("that throws has signed nothing, unless it is said that it may have", () => {
    const cause = new PortcullisError("pkcs11-unavailable", "the token is gone", { hint: "look" });
    const throwing = (): Authority =>
      faultyAt2(() => {
        throw cause;
      });
    const outcomes = signPrepared(prepared, throwing());
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["issued", "refused", "issued"],
    );
    const [, failed] = outcomes;
    assert.deepEqual(refusal(failed), ["signer-failed", "", "failed"]);
    assert.ok(failed?.kind === "refused" && failed.error instanceof IssuanceError);
    assert.equal(failed.error.cause, cause);
    assert.equal(failed.error.message, "the signer has failed: the token is gone");
    assert.equal(failed.error.hint, "look");
    const [, unknown] = signPrepared(prepared, throwing(), "unknown");
    assert.deepEqual(refusal(unknown), ["signer-failed", "", "unknown"]);
  });
});
