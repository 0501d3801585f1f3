import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeAuthority } from "../../../test/support/authority.ts";
import { signTestLeaf } from "../../../test/support/ca-port.ts";
import { proveKey } from "../../core/issuance/workload.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { parseCertificate } from "../../core/x509/certificate.ts";
import { createCsr } from "../../core/x509/csr-create.ts";
import { parseSinglePem } from "../../core/x509/pem.ts";
import { WitnessLeaves } from "./witness-leaves.ts";
import type { ReceivedCertificate } from "./workload-set.ts";

const identity = "spiffe://cluster.local/ns/default/sa/web";
const authority = await makeAuthority("p256", Date.now());
const { csrPem, privateKeyPkcs8 } = await createCsr();
const publicKey = proveKey(csrPem);
const receivedAtMs = Date.now();

function received(): ReceivedCertificate {
  const pem = signTestLeaf(authority, { publicKey, uris: [identity], ttlSeconds: 60 });
  const der = parseSinglePem(pem, "CERTIFICATE");
  const { serialHex, notAfterMs } = parseCertificate(der);
  const id = SpiffeId.parse(identity);
  return {
    receivedAtMs,
    certificate: { id, chain: [der], privateKeyPkcs8, serialHex, notAfterMs },
  };
}

const [one, two] = [received(), received()];
const serialsOf = (due: readonly { readonly serialHex: string }[]): readonly string[] =>
  due.map(({ serialHex }) => serialHex);

describe("certificates that the log has not shown", () => {
  it("are asked about once, and all of them again on a new stream", () => {
    const leaves = new WitnessLeaves();
    leaves.update([one], receivedAtMs);
    leaves.update([one, two], receivedAtMs);
    const both = [one, two].map(({ certificate }) => certificate.serialHex);
    assert.deepEqual(serialsOf(leaves.takeDue()), both);
    assert.deepEqual(leaves.takeDue(), []);
    leaves.askAll();
    assert.deepEqual(serialsOf(leaves.takeDue()), both);
  });

  it("are asked about also when they are held no more, until they expire", () => {
    const leaves = new WitnessLeaves();
    leaves.update([one], receivedAtMs);
    assert.deepEqual(leaves.update([two], receivedAtMs), []);
    assert.equal(leaves.takeDue().length, 2);
    const expired = leaves.update([two], one.certificate.notAfterMs);
    assert.deepEqual(
      new Set(serialsOf(expired)),
      new Set([one, two].map(({ certificate }) => certificate.serialHex)),
    );
    leaves.askAll();
    assert.deepEqual(leaves.takeDue(), []);
  });

  it("are not asked about any more when they are settled", () => {
    const leaves = new WitnessLeaves();
    leaves.update([one, two], receivedAtMs);
    const [first] = leaves.takeDue();
    const pending = leaves.find(first?.leaf.serial ?? new Uint8Array());
    assert.ok(pending !== undefined);
    leaves.settle(pending);
    assert.equal(leaves.find(pending.leaf.serial), undefined);
    leaves.update([one, two], receivedAtMs);
    leaves.askAll();
    assert.deepEqual(serialsOf(leaves.takeDue()), [two.certificate.serialHex]);
  });
});
