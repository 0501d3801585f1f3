import assert from "node:assert/strict";
import { randomBytes, sign } from "node:crypto";
import { before, describe, it } from "node:test";
import { makeAuthority, type TestAuthority } from "../../../test/support/authority.ts";
import { ecTestKey } from "../../../test/support/csr.ts";
import { bitString, concat, oid, sequence, tlv } from "../../../test/support/der.ts";
import { OID } from "../x509/oid.ts";
import { servingProfile, workloadProfile } from "../x509/profile.ts";
import { parsePublicKey } from "../x509/public-key.ts";
import { signLeaf } from "./authority.ts";
import { assertSigned, checkIssued, signedChecks, type IssuedIntent } from "./check-issued.ts";
import { IssuanceError, type IssuanceErrorCode } from "./issuance-error.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
const publicKey = parsePublicKey(ecTestKey("P-256").spki);
const validity = { notBeforeMs: nowMs - 120_000, notAfterMs: nowMs + 3_600_000 };
const names = { uris: ["spiffe://cluster.local/ns/shop/sa/cart"] };
const serial = randomBytes(16).fill(0x80, 0, 1);

let test: TestAuthority;
let intent: IssuedIntent;
let good: Uint8Array;
before(async () => {
  test = await makeAuthority("p256", nowMs);
  const { authority } = test;
  const tbs = authority.encodeWorkload({ serial, publicKey, subjectAltNames: names, ...validity });
  intent = { profile: workloadProfile, tbs, serial, validity, names, spki: publicKey.spki };
  good = signLeaf(authority, tbs);
});

const fails =
  (code: IssuanceErrorCode, rule = "") =>
  (error: unknown): boolean => {
    assert.ok(error instanceof IssuanceError);
    const [, name = ""] = /fails ([a-z-]+) \(/.exec(error.message) ?? [];
    assert.deepEqual([error.code, name], [code, rule]);
    return true;
  };

describe("the check before a certificate leaves", () => {
  const faults: readonly (readonly [string, string, () => Uint8Array])[] = [
    ["tbs-unchanged", "other bytes", () => wrap(signed(intent.tbs.with(20, 0x55)))],
    ["tbs-unchanged", "an octet more", () => wrap(signed(sequence(intent.tbs)))],
    ["signature-algorithm", "another digest's name", () => wrap(parts(), OID.ecdsaSha384)],
    ["signature-verifies", "a signature over other bytes", () => wrap(parts(Uint8Array.of(1)))],
    ["", "octets behind it", () => concat(good, Uint8Array.of(0))],
    ["", "a signature that is not of whole octets", () => wrap(parts(undefined, 1))],
    ["", "nothing", () => Uint8Array.of()],
  ];

  interface Parts {
    readonly tbs: Uint8Array;
    readonly signature: Uint8Array;
  }
  const signed = (tbs: Uint8Array): Parts => ({
    tbs,
    signature: bitString(sign("sha256", tbs, test.privateKey)),
  });
  const parts = (over = intent.tbs, unused = 0): Parts => {
    const signature = sign("sha256", over, test.privateKey);
    const octets = unused === 0 ? signature : concat(signature, Uint8Array.of(0));
    return { tbs: intent.tbs, signature: bitString(octets, unused) };
  };
  const wrap = ({ tbs, signature }: Parts, algorithm: string = OID.ecdsaSha256): Uint8Array =>
    tlv(0x30, tbs, sequence(oid(algorithm)), signature);

  it("lets pass what was meant, also from an encoder not ours", () => {
    assertSigned(good, intent, test.authority);
    assertSigned(wrap(parts()), intent, test.authority);
  });

  for (const [check, title, make] of faults) {
    it(`refuses ${title}${check === "" ? "" : ` by ${check}`}`, () => {
      assert.throws(
        () => assertSigned(make(), intent, test.authority),
        fails("certificate-check-failed", check),
      );
    });
  }

  it("has a case for each of its checks", () => {
    const covered = new Set(faults.map(([check]) => check).filter((check) => check !== ""));
    assert.deepEqual(new Set(signedChecks.map(({ name }) => name)), covered);
  });
});

describe("the check of a certificate that was signed in one go", () => {
  it("is that of both halves", () => {
    const { authority } = test;
    checkIssued(good, intent, authority);
    const own = { dnsNames: ["localhost"] };
    const tbs = authority.encodeServing({ serial, publicKey, subjectAltNames: own, ...validity });
    const serving = { ...intent, profile: servingProfile, names: own, tbs };
    checkIssued(signLeaf(authority, tbs), serving, authority);
    assert.throws(
      () => checkIssued(good, { ...intent, names: own }, authority),
      fails("certificate-lint-failed", "exact-names"),
    );
    assert.throws(
      () => checkIssued(signLeaf(authority, tbs), intent, authority),
      fails("certificate-check-failed", "tbs-unchanged"),
    );
  });
});
