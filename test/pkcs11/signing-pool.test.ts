/** Signing threads on a token: what they do when it is away, hangs, or takes no PIN, and when it is back. */

import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { localSigner, proveSigner } from "../../src/app/server/signing/open-signer.ts";
import { SigningPool } from "../../src/app/server/signing/signing-pool.ts";
import type { AuthorityParts } from "../../src/app/server/signing/signing-protocol.ts";
import { signingAuthority } from "../../src/core/issuance/authority.ts";
import type { WorkloadOrder } from "../../src/core/issuance/workload.ts";
import { refusalOf } from "../../src/edge/rpc/ca-status.ts";
import { makeAuthority, type TestAuthority } from "../support/authority.ts";
import { eventually } from "../support/control-plane.ts";
import { SoftHsm, whyNoSoftHsm } from "../support/softhsm.ts";
import { WIRE_CSR } from "../server/grpc-wire.ts";
import { hang, pullOut } from "./hsm-faults.ts";

const nowMs = Date.now();
const times = { answerMs: 1_500, restMs: 100, endMs: 300 };

const orders = (count: number): WorkloadOrder[] =>
  Array.from({ length: count }, () => ({
    spiffeId: "spiffe://cluster.local/ns/shop/sa/cart",
    csrPem: WIRE_CSR,
    requestedTtlSeconds: 0n,
    serial: randomBytes(16),
  }));

const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;

describe("signing threads whose key is in a token", { skip: whyNoSoftHsm() }, () => {
  const hsm = new SoftHsm();
  let ca: TestAuthority;
  let other: TestAuthority;
  let parts: AuthorityParts;
  before(async () => {
    [ca, other] = await Promise.all([makeAuthority("p256", nowMs), makeAuthority("p256", nowMs)]);
    hsm.initToken("ca");
    hsm.importKey("ca", { label: "key", id: "01", privateKey: ca.privateKey });
    const source = { kind: "pkcs11", uri: hsm.uri("token=ca;object=key") } as const;
    parts = { source, chain: [], root: ca.root };
    await proveSigner(parts);
  });
  after(() => hsm[Symbol.dispose]());

  interface Rig extends AsyncDisposable {
    readonly pool: SigningPool;
    readonly failures: unknown[];
    readonly seen: { recovered: number; stuck: number };
  }

  async function openPool(): Promise<Rig> {
    const authority = signingAuthority(localSigner(parts), [], ca.root, [ca.root]);
    const failures: unknown[] = [];
    const seen = { recovered: 0, stuck: 0 };
    const pool = new SigningPool({
      authority: () => authority,
      parts: () => parts,
      policy: () => ({ defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 }),
      times,
      onFailed: (error) => failures.push(error),
      onRecovered: () => seen.recovered++,
      onStuck: () => seen.stuck++,
    });
    await pool.open().catch(async (error: unknown) => {
      await pool[Symbol.asyncDispose]();
      throw error;
    });
    return { pool, failures, seen, [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose]() };
  }

  /** @returns of each order; "issued" only for what verifies */
  async function kinds(pool: SigningPool, count = 1): Promise<Set<string>> {
    const root = new X509Certificate(ca.root);
    const prepared = await pool.prepare(orders(count), nowMs);
    const outcomes = await pool.sign(prepared.filter((each) => each.kind === "prepared"));
    return new Set(
      outcomes.map((outcome) => {
        if (outcome.kind === "refused") return refusalOf(outcome.error).metric;
        return new X509Certificate(outcome.certificate.der).verify(root.publicKey)
          ? "issued"
          : "bad";
      }),
    );
  }

  test("sign all that the server signs, whose own thread cannot", async () => {
    await using rig = await openPool();
    const { pool } = rig;
    assert.ok(pool.isAvailable);
    for (const count of [1, 15, 16, 60])
      assert.deepEqual(await kinds(pool, count), new Set(["issued"]));
    assert.throws(() => localSigner(parts).sign(Buffer.from("a")), TypeError);
  });

  test("prove another authority before it signs, and go on when that fails", async () => {
    await using rig = await openPool();
    const { pool, failures } = rig;
    await pool.prove(parts);
    await assert.rejects(pool.prove({ ...parts, root: other.root }), {
      code: "pkcs11-key-mismatch",
    });
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
    assert.deepEqual(failures, []);
    await pool[Symbol.asyncDispose]();
    await assert.rejects(pool.prove(parts), { code: "signer-unavailable" });
  });

  test("sign for another authority before it signs, beside a proof, and say why they cannot", async () => {
    await using rig = await openPool();
    const { pool, failures } = rig;
    const next = signingAuthority(localSigner(parts), [], ca.root, [ca.root]);
    const prepared = await pool.prepare(orders(3), nowMs);
    const leaves = prepared.filter((each) => each.kind === "prepared");
    const [signed] = await Promise.all([pool.signFor(parts, next, leaves), pool.prove(parts)]);
    assert.deepEqual(new Set(signed.map(({ kind }) => kind)), new Set(["issued"]));
    const wrong = await pool.signFor({ ...parts, root: other.root }, next, leaves);
    for (const outcome of wrong) {
      assert.ok(outcome.kind === "refused" && outcome.outcome === "failed");
      assert.equal(codeOf(outcome.error), "pkcs11-key-mismatch");
    }
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
    assert.deepEqual(failures, []);
  });

  test("are unavailable while the token is away, and sign again by themselves when it is back", async () => {
    await using rig = await openPool();
    const { pool, failures, seen } = rig;
    for (let round = 1; round <= 2; round++) {
      const away = pullOut(hsm);
      assert.deepEqual(await kinds(pool), new Set(["UNAVAILABLE"]));
      await eventually(() => failures.length > 0 && !pool.isAvailable);
      await assert.rejects(pool.prove(parts));
      away[Symbol.dispose]();
      await eventually(() => pool.isAvailable);
      assert.deepEqual(await kinds(pool), new Set(["issued"]));
      assert.equal(seen.recovered, round);
      failures.length = 0;
    }
  });

  test("prove another authority again after a proof while the token was away", async () => {
    await using rig = await openPool();
    const { pool } = rig;
    const away = pullOut(hsm);
    await assert.rejects(pool.prove(parts), (error: Error & { hint?: string }) => {
      assert.match(String(codeOf(error)), /^pkcs11-/);
      assert.match(error.hint ?? "", /token/);
      return true;
    });
    away[Symbol.dispose]();
    await eventually(() =>
      pool.prove(parts).then(
        () => true,
        () => false,
      ),
    );
    await eventually(() => pool.isAvailable);
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
    await pool.prove(parts);
  });

  test("prove with a module that takes the token for gone, and sign soon after", async () => {
    await using rig = await openPool();
    const { pool, failures } = rig;
    {
      using _ = pullOut(hsm);
      await assert.rejects(proveSigner(parts));
    }
    // No new session, and the old one signs.
    await assert.rejects(proveSigner(parts), { code: "pkcs11-unavailable" });
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
    await pool.prove(parts);
    await eventually(() => pool.isAvailable);
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
    assert.deepEqual(failures, []);
  });

  test("give up one that hangs, start no other before it has ended, and sign again then", async () => {
    await using rig = await openPool();
    const { pool, failures } = rig;
    const hung = hang(hsm);
    assert.deepEqual(await kinds(pool), new Set(["UNAVAILABLE"]));
    assert.match(String(failures[0]), /no answer within 1500 ms/);
    assert.ok(!pool.isAvailable);
    for (let round = 0; round < 3; round++) {
      const startedMs = performance.now();
      pool.retry();
      assert.deepEqual(await kinds(pool), new Set(["UNAVAILABLE"]));
      await assert.rejects(pool.prove(parts), { code: "signer-unavailable" });
      // Whoever had a thread would wait for it.
      assert.ok(performance.now() - startedMs < times.answerMs);
    }
    assert.equal(failures.length, 1);
    hung[Symbol.dispose]();
    await eventually(() => pool.isAvailable);
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
  });

  test("end in time with one that hangs, and say so", async () => {
    await using rig = await openPool();
    const { pool, seen } = rig;
    using _ = hang(hsm);
    assert.deepEqual(await kinds(pool), new Set(["UNAVAILABLE"]));
    const startedMs = performance.now();
    await pool[Symbol.asyncDispose]();
    assert.ok(performance.now() - startedMs < times.endMs + 200);
    assert.equal(seen.stuck, 1);
  });

  test("try a PIN that is rejected once, and again when the operator says so", async () => {
    await using rig = await openPool();
    const { pool, failures } = rig;
    const away = pullOut(hsm);
    writeFileSync(hsm.pinFile, "wrong-horse-8\n");
    await kinds(pool);
    away[Symbol.dispose]();
    await eventually(() => failures.some((error) => codeOf(error) === "pkcs11-pin-rejected"));
    const { length } = failures;
    await setTimeout(3 * times.restMs);
    assert.deepEqual(await kinds(pool), new Set(["UNAVAILABLE"]));
    assert.equal(failures.length, length);
    await assert.rejects(pool.prove(parts), { code: "pkcs11-pin-rejected" });
    writeFileSync(hsm.pinFile, `${hsm.pin}\n`);
    // As a reload does.
    await pool.prove(parts);
    assert.ok(!pool.isAvailable);
    pool.retry();
    await eventually(() => pool.isAvailable);
    assert.deepEqual(await kinds(pool), new Set(["issued"]));
  });
});
