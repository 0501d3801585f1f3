/** `SignBatch`: many workloads in one call, each by its own token, none spoilt by another's. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import { status } from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import {
  mint,
  scrape,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { makeCsr, ecTestKey } from "../support/csr.ts";
import { entryOf, signBatch, tokenOf, type Entry } from "./batch-rig.ts";
import { csrPem, WIRE_CSR, WIRE_KEY } from "./grpc-wire.ts";
import { meshIdentity, type MeshIdentity } from "./mesh-client.ts";

const uriOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;
const hasCode =
  (code: number) =>
  (error: unknown): boolean =>
    (error as { readonly code: number }).code === code;

describe("a batch", () => {
  let it: TestControlPlane;
  let node: MeshIdentity;
  before(async () => {
    it = await startControlPlane({ flags: { "node-agent": uriOf("node") } });
    node = await meshIdentity(it, "node");
  });
  after(() => it[Symbol.asyncDispose]());

  test("of 100 gets each workload its own certificate, in the order of the entries", async () => {
    const names = Array.from({ length: 100 }, (_, index) => `w-${index}`);
    const before = await scrape(it);
    // Twice at once: the signing threads have several chunks each.
    const batches = await Promise.all([0, 1].map(() => signBatch(it, names.map(entryOf), node)));
    const serials = new Set<string>();
    for (const { results } of batches) {
      assert.equal(results.length, names.length);
      for (const [index, { result }] of results.entries()) {
        assert.equal(result.case, "certificate");
        const { certChain, spiffeId, tokenExpiresAt } = result.value;
        const [leaf, roots] = certChain.map((pem) => new X509Certificate(pem));
        assert.equal(spiffeId, uriOf(names[index] ?? ""));
        assert.equal(leaf?.subjectAltName, `URI:${spiffeId}`);
        assert.ok(leaf.checkPrivateKey(WIRE_KEY.privateKey));
        assert.ok(roots && leaf.verify(roots.publicKey));
        assert.ok(tokenExpiresAt && timestampMs(tokenExpiresAt) > Date.now());
        serials.add(leaf.serialNumber);
      }
    }
    assert.equal(serials.size, 200);
    const issued = "citadel_server_success_cert_issuance_count";
    const grown = ((await scrape(it)).get(issued) ?? 0) - (before.get(issued) ?? 0);
    assert.equal(grown, 200);
  });

  const forged = csrPem(makeCsr(WIRE_KEY, { spki: ecTestKey("P-256").spki }));
  const bad: readonly (readonly [string, () => Entry, number])[] = [
    ["without a token", () => ({ csr: WIRE_CSR }), status.UNAUTHENTICATED],
    ["with another's signature on its token", () => foreign(), status.UNAUTHENTICATED],
    ["with an expired token", () => expired(), status.UNAUTHENTICATED],
    ["with a bearer prefix", () => prefixed(), status.UNAUTHENTICATED],
    ["without a CSR", () => ({ token: tokenOf("bad") }), status.INVALID_ARGUMENT],
    ["with a forged CSR", () => ({ ...entryOf("bad"), csr: forged }), status.INVALID_ARGUMENT],
    [
      "that asks for too long",
      () => ({ ...entryOf("bad"), validityDuration: 2n ** 62n }),
      status.INVALID_ARGUMENT,
    ],
  ];
  for (const neighbours of [2, 40]) {
    for (const [title, entry, code] of bad) {
      test(`refuses an entry ${title}, and none of its ${neighbours} neighbours`, async () => {
        const good = Array.from({ length: neighbours }, (_, index) => entryOf(`n-${index}`));
        const { results } = await signBatch(it, [...good.slice(1), entry(), good[0] ?? {}], node);
        const cases = results.map(({ result }) => result.case);
        assert.deepEqual(
          cases.filter((each) => each === "certificate").length,
          neighbours,
          cases.join(),
        );
        const refused = results[neighbours - 1]?.result;
        assert.equal(refused?.case, "refusal");
        assert.equal(refused.value.code, code);
        assert.doesNotMatch(refused.value.message, /eyJ/);
      });
    }
  }

  test("is for node agents only, with a certificate of theirs", async () => {
    const other = await meshIdentity(it, "cart");
    const entries = [entryOf("a")];
    await assert.rejects(signBatch(it, entries, other), hasCode(status.PERMISSION_DENIED));
    await assert.rejects(signBatch(it, entries), hasCode(status.UNAUTHENTICATED));
    assert.ok(it.log.some(({ event }) => event === "batch-refused"));
  });

  test("has 1 to 100 entries", async () => {
    const tooMany = Array.from({ length: 101 }, () => ({}));
    for (const entries of [[], tooMany]) {
      await assert.rejects(signBatch(it, entries, node), hasCode(status.INVALID_ARGUMENT));
    }
  });

  test("is refused where no node agent is configured", async () => {
    await using plain = await startControlPlane();
    const identity = await meshIdentity(plain, "node");
    const call = signBatch(plain, [entryOf("a")], identity);
    await assert.rejects(call, hasCode(status.PERMISSION_DENIED));
  });
});

function foreign(): Entry {
  const [header, payload] = tokenOf("bad").split(".");
  const [, , signature] = tokenOf("other").split(".");
  return { token: [header, payload, signature].join("."), csr: WIRE_CSR };
}

function expired(): Entry {
  const exp = Math.floor(Date.now() / 1_000) - 1;
  return { token: mint({ exp }), csr: WIRE_CSR };
}

function prefixed(): Entry {
  return { token: `Bearer ${tokenOf("bad")}`, csr: WIRE_CSR };
}
