import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { randomBytes } from "node:crypto";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../test/support/authority.ts";
import { ecTestKey, makeCsr } from "../../../test/support/csr.ts";
import { canaryChain } from "../envoy/canary-chain.ts";
import { assertAssignable } from "../identity/assignable-path.ts";
import { canaryId, isCanaryId } from "../identity/canary-id.ts";
import { SpiffeId } from "../spiffe/id.ts";
import { parseCertificate, type Certificate } from "../x509/certificate.ts";
import { CsrError } from "../x509/csr.ts";
import { lintLeaf } from "../x509/lint/leaf.ts";
import { encodePem } from "../x509/pem.ts";
import { ExtendedKeyUsage } from "../x509/profile.ts";
import { prepareCanaries } from "./canary.ts";
import { signPrepared } from "./sign-prepared.ts";

const nowMs = Date.UTC(2026, 10, 24, 12) + 250;
const csrPem = encodePem(makeCsr(ecTestKey("P-256")), "CERTIFICATE REQUEST");

let test: TestAuthority;
before(async () => {
  test = await makeAuthority("p256", nowMs);
});

function issue(maxTtlSeconds = 86_400): Certificate {
  const { authority } = test;
  const orders = [{ csrPem, serial: randomBytes(16) }];
  const prepared = prepareCanaries(orders, TEST_TRUST_DOMAIN, authority, maxTtlSeconds, nowMs);
  const [outcome] = signPrepared(
    prepared.filter((each) => each.kind === "prepared"),
    authority,
  );
  if (outcome?.kind !== "issued") throw outcome?.error;
  return parseCertificate(outcome.certificate.der);
}

describe("a canary's certificate", () => {
  it("has one identity, which no caller can have, and is no server's", () => {
    const { uris, dnsNames, extendedKeyUsages, isCa } = issue();
    assert.deepEqual(uris, ["spiffe://cluster.local/portcullis/canary"]);
    assert.deepEqual([dnsNames, isCa], [[], false]);
    assert.deepEqual(extendedKeyUsages, [ExtendedKeyUsage.clientAuth]);
    assert.throws(() => assertAssignable(["portcullis", "canary"]), /outside of \/portcullis/);
  });

  it("lives five minutes, or as long as the longest certificate of the mesh", () => {
    assert.equal(issue().notAfterMs, nowMs - 250 + 300_000);
    assert.equal(issue(30).notAfterMs, nowMs - 250 + 30_000);
  });

  it("is refused for a CSR without the proof of its key", () => {
    const der = makeCsr(ecTestKey("P-256"));
    der[der.length - 1] = 1 ^ (der.at(-1) ?? 0);
    const orders = [
      { csrPem: encodePem(der, "CERTIFICATE REQUEST"), serial: randomBytes(16) },
      { csrPem, serial: randomBytes(16) },
    ];
    const outcomes = prepareCanaries(orders, TEST_TRUST_DOMAIN, test.authority, 60, nowMs);
    assert.deepEqual(
      outcomes.map(({ kind }) => kind),
      ["refused", "prepared"],
    );
    assert.ok(outcomes[0]?.kind === "refused" && outcomes[0].error instanceof CsrError);
  });
});

it("the bytes of a workload are no canary's, nor a canary's a workload's", () => {
  const { authority } = test;
  const context = { issuer: authority.issuer, nowMs, lifetimeMaxSeconds: 300 };
  const orders = [{ csrPem, serial: randomBytes(16) }];
  const [canary] = prepareCanaries(orders, TEST_TRUST_DOMAIN, authority, 300, nowMs);
  assert.ok(canary?.kind === "prepared");
  assert.equal(lintLeaf(canary.tbs, "canary", context).kind, "passed");
  const asWorkload = lintLeaf(canary.tbs, "workload", context);
  assert.ok(asWorkload.kind === "failed");
  assert.equal(asWorkload.rule.name, "extended-key-usage-workload");
});

it("the listeners' chain and the certificates know the same identity", () => {
  const id = canaryId(TEST_TRUST_DOMAIN);
  assert.ok(isCanaryId(id));
  assert.ok(JSON.stringify(canaryChain(8443, TEST_TRUST_DOMAIN), asText).includes(id.toString()));
  for (const other of ["/portcullis/canary2", "/portcullis", "/ns/portcullis/sa/canary"]) {
    assert.equal(isCanaryId(SpiffeId.fromPath(TEST_TRUST_DOMAIN, other)), false);
  }
});

/** Octets of a packed message as text, so that what is in it can be looked for. */
function asText(_: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("latin1");
  return typeof value === "bigint" ? value.toString() : value;
}
