import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { before, describe, it } from "node:test";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../test/support/authority.ts";
import { ecTestKey, makeCsr, rsaTestKey } from "../../../test/support/csr.ts";
import { commonName, explicit, oid, sequence, set, text } from "../../../test/support/der.ts";
import { extension } from "../../../test/support/certificate.ts";
import { trustBundle } from "../spiffe/trust-bundle.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { CsrError } from "../x509/csr.ts";
import { encodePem, parsePem, PemError } from "../x509/pem.ts";
import { PublicKeyError } from "../x509/public-key.ts";
import { replyChain, signingAuthority, type Authority } from "./authority.ts";
import { IssuanceError } from "./issuance-error.ts";
import { signPrepared, type SignOutcome } from "./sign-prepared.ts";
import {
  prepareWorkloads,
  proveKey,
  signWorkloads,
  type WorkloadOrder,
  type WorkloadOutcome,
} from "./workload.ts";

const nowMs = Date.UTC(2026, 10, 24, 12) + 250;
const policy = { defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 };
const spiffeId = "spiffe://cluster.local/ns/shop/sa/cart";
const key = ecTestKey("P-256");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const csrPem = (der: Uint8Array): string => encodePem(der, "CERTIFICATE REQUEST");

let test: TestAuthority;
before(async () => {
  test = await makeAuthority("p256", nowMs);
});

function orderFor(csr: Uint8Array, changes: Partial<WorkloadOrder> = {}): WorkloadOrder {
  const serial = randomBytes(16);
  return { spiffeId, csrPem: csrPem(csr), requestedTtlSeconds: 0n, serial, ...changes };
}

interface Issued {
  readonly certificate: Certificate;
  readonly certChain: readonly string[];
}

function issueWith(
  authority: Authority,
  csr: Uint8Array,
  changes: Partial<WorkloadOrder> = {},
): Issued {
  const [outcome] = signWorkloads([orderFor(csr, changes)], authority, policy, nowMs);
  if (outcome?.kind !== "issued") throw outcome?.error;
  const { der } = outcome.certificate;
  return { certificate: parseCertificate(der), certChain: replyChain(authority, der) };
}

function errorOf(outcome: WorkloadOutcome | undefined): unknown {
  return outcome?.kind === "refused" ? outcome.error : undefined;
}

describe("a workload's certificate", () => {
  it("names the caller and has the key of the CSR, whatever else the CSR says", () => {
    const requested = sequence(
      extension("2.5.29.17", sequence(text(0x86, "spiffe://different.com/test"))),
      extension("2.5.29.19", sequence(Uint8Array.of(0x01, 0x01, 0xff)), true),
    );
    const attribute = sequence(oid("1.2.840.113549.1.9.14"), set(requested));
    const csr = makeCsr(key, {
      subject: commonName("spiffe://different.com/test"),
      attributes: explicit(0, attribute),
    });
    const { certificate } = issueWith(test.authority, csr);
    assert.deepEqual(certificate.uris, ["spiffe://cluster.local/ns/shop/sa/cart"]);
    assert.equal(hex(certificate.spki), hex(key.spki));
    assert.equal(hex(certificate.subjectDer), "3000");
    assert.equal(certificate.isCa, false);
    const plain = issueWith(test.authority, makeCsr(key)).certificate;
    const shape = (each: typeof plain): string[] => each.extensions.map(({ value }) => hex(value));
    assert.deepEqual(shape(certificate), shape(plain));
  });

  it("lives as long as was asked for, from two minutes ago", () => {
    for (const [requested, seconds] of [
      [0n, 3_600],
      [-5n, 3_600],
      [60n, 60],
      [7_200n, 7_200],
    ] as const) {
      const changes = { requestedTtlSeconds: requested };
      const { certificate } = issueWith(test.authority, makeCsr(key), changes);
      assert.equal(certificate.notBeforeMs, nowMs - 250 - 120_000);
      assert.equal(certificate.notAfterMs, nowMs - 250 + seconds * 1_000);
    }
  });

  it("ends when what it hangs on ends, and is not made after that", () => {
    const bounded = (notAfterMaxMs: number): Issued =>
      issueWith(test.authority, makeCsr(key), { notAfterMaxMs });
    assert.equal(bounded(nowMs + 60_750).certificate.notAfterMs, nowMs + 60_750);
    assert.throws(
      () => bounded(nowMs),
      (error) => error instanceof IssuanceError && error.code === "issuer-expired",
    );
  });

  it("is not made for longer than allowed, nor by an expired issuer", () => {
    const tooLong = (): unknown =>
      issueWith(test.authority, makeCsr(key), { requestedTtlSeconds: 7_201n });
    assert.throws(tooLong, (e) => e instanceof IssuanceError && e.code === "ttl-too-long");
    const authority = { ...test.authority, notAfterMs: nowMs };
    const expired = (): unknown => issueWith(authority, makeCsr(key));
    assert.throws(expired, (e) => e instanceof IssuanceError && e.code === "issuer-expired");
  });

  it("does not leave an authority whose key is not its certificate's", async () => {
    const other = await makeAuthority("p256", nowMs);
    const wrong = signingAuthority(other.authority.signer, [], test.root, test.bundle.roots);
    assert.throws(
      () => issueWith(wrong, makeCsr(key)),
      (error) => error instanceof IssuanceError && error.code === "certificate-check-failed",
    );
  });

  it("is verified by Node for EC and RSA keys", () => {
    for (const each of [key, ecTestKey("P-384"), rsaTestKey(2048)]) {
      const { certChain } = issueWith(test.authority, makeCsr(each));
      const leaf = new X509Certificate(certChain[0] ?? "");
      assert.ok(leaf.verify(new X509Certificate(certChain[1] ?? "").publicKey));
    }
  });
});

describe("of a batch", () => {
  it("each order has its own outcome, whatever the others' are", () => {
    const others = [ecTestKey("P-384"), rsaTestKey(2048)];
    const orders = [
      orderFor(makeCsr(key, { spki: ecTestKey("P-256").spki })),
      orderFor(makeCsr(key)),
      orderFor(makeCsr(key), { csrPem: "no PEM" }),
      orderFor(makeCsr(key), { requestedTtlSeconds: 7_201n }),
      ...others.map((each) =>
        orderFor(makeCsr(each), { spiffeId: `${spiffeId}-${each.spki.length}` }),
      ),
    ];
    const outcomes = signWorkloads(orders, test.authority, policy, nowMs);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["refused", "issued", "refused", "refused", "issued", "issued"],
    );
    assert.ok(errorOf(outcomes[0]) instanceof CsrError);
    assert.ok(errorOf(outcomes[2]) instanceof PemError);
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind !== "issued") continue;
      const { uris } = parseCertificate(outcome.certificate.der);
      assert.deepEqual(uris, [orders[index]?.spiffeId]);
    }
  });

  it("none is let go that does not verify", async () => {
    const other = await makeAuthority("p256", nowMs);
    const wrong = signingAuthority(other.authority.signer, [], test.root, test.bundle.roots);
    const orders = Array.from({ length: 3 }, () => orderFor(makeCsr(key)));
    for (const outcome of signWorkloads(orders, wrong, policy, nowMs)) {
      const error = errorOf(outcome);
      assert.ok(error instanceof IssuanceError && error.code === "certificate-check-failed");
    }
  });
});

describe("a batch in two halves", () => {
  it("comes to the same as in one, and its first half is plain data", () => {
    const orders = [
      orderFor(makeCsr(key)),
      orderFor(makeCsr(key), { csrPem: "no PEM" }),
      orderFor(makeCsr(rsaTestKey(2048))),
      orderFor(makeCsr(key), { spiffeId: "spiffe://cluster.local" }),
    ];
    const prepared = prepareWorkloads(orders, test.authority, policy, nowMs);
    assert.deepEqual(
      prepared.map(({ kind }) => kind),
      ["prepared", "refused", "prepared", "refused"],
    );
    const ready = prepared.filter((each) => each.kind === "prepared");
    const signed = signPrepared(structuredClone(ready), test.authority);
    const whole = signWorkloads(orders, test.authority, policy, nowMs);
    const serials = (outcomes: readonly (WorkloadOutcome | SignOutcome)[]): readonly string[] =>
      outcomes.flatMap((each) => (each.kind === "issued" ? [each.certificate.serialHex] : []));
    assert.deepEqual(serials(signed), serials(whole));
    assert.equal(serials(signed).length, 2);
    const lint = errorOf(whole[3]);
    assert.ok(lint instanceof IssuanceError && lint.code === "certificate-lint-failed");
    assert.match(lint.message, /spiffe-path-present \(X509-SVID 3\.1/);
  });

  it("has the signer's own error in one, and of each of those that it does not sign", () => {
    const cause = new Error("the token is gone");
    const sign = (): never => {
      throw cause;
    };
    const authority = { ...test.authority, signer: { ...test.authority.signer, sign } };
    const orders = [orderFor(makeCsr(key)), orderFor(makeCsr(key))];
    for (const outcome of signWorkloads(orders, authority, policy, nowMs)) {
      assert.equal(errorOf(outcome), cause);
    }
  });
});

describe("a reply", () => {
  it("is the leaf, then all roots in one element", () => {
    const { certChain, certificate } = issueWith(test.authority, makeCsr(key));
    assert.deepEqual(certChain, [
      encodePem(certificate.der, "CERTIFICATE"),
      encodePem(test.root, "CERTIFICATE"),
    ]);
    for (const pem of certChain) assert.ok(pem.endsWith("-----END CERTIFICATE-----\n"));
  });

  it("has each intermediate as an element of its own, and every root of the bundle", async () => {
    const other = await makeAuthority("p256", nowMs);
    const bundle = trustBundle(TEST_TRUST_DOMAIN, 2n, [test.root, other.root]);
    const { signer } = test.authority;
    // That of the other authority stands in for an intermediate's issuer.
    const authority = signingAuthority(signer, [test.root, other.root], other.root, bundle.roots);
    const { certChain } = issueWith(authority, makeCsr(key));
    const [, first, second, roots] = certChain;
    assert.equal(certChain.length, 4);
    assert.equal(first, encodePem(test.root, "CERTIFICATE"));
    assert.equal(second, encodePem(other.root, "CERTIFICATE"));
    const ders = parsePem(roots ?? "", "CERTIFICATE", { blocksMax: 2 });
    assert.deepEqual(ders.map(hex), bundle.roots.map(hex));
    assert.deepEqual(authority.intermediates, [first, second]);
  });
});

describe("the proof of a key", () => {
  it("is refused when the CSR's signature does not match its key", () => {
    const forged = makeCsr(key, { spki: ecTestKey("P-256").spki });
    assert.throws(
      () => proveKey(csrPem(forged)),
      (error) => error instanceof CsrError && error.code === "csr-signature-invalid",
    );
  });

  it("is refused for a weak key and for what is no CSR, by the error of the part at fault", () => {
    assert.throws(() => proveKey(csrPem(makeCsr(rsaTestKey(1024)))), PublicKeyError);
    assert.throws(() => proveKey("no PEM"), PemError);
    assert.throws(() => proveKey(encodePem(test.root, "CERTIFICATE")), PemError);
  });

  it("accepts the older label of CSRs", () => {
    const pem = csrPem(makeCsr(key)).replaceAll("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert.equal(hex(proveKey(pem).spki), hex(key.spki));
  });
});

describe("the certificate of an authority", () => {
  it("is the first of its chain, or its root", () => {
    const { authority, root } = test;
    assert.equal(authority.certificate.serialHex, parseCertificate(root).serialHex);
    assert.deepEqual(authority.intermediates, []);
    assert.ok(Object.isFrozen(authority));
  });
});
