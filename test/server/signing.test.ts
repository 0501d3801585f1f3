/** Signing threads: what they sign is what the server's own thread would sign, and their failure is nobody's certificate. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { IssuanceQueue } from "../../src/app/server/issuance-queue.ts";
import { SigningPool } from "../../src/app/server/signing/signing-pool.ts";
import type { AuthorityParts } from "../../src/app/server/signing/signing-protocol.ts";
import type { PreparedLeaf, PrepareOutcome } from "../../src/core/issuance/prepare.ts";
import type { SignOutcome } from "../../src/core/issuance/sign-prepared.ts";
import type { WorkloadOrder } from "../../src/core/issuance/workload.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { parseCertificate } from "../../src/core/x509/certificate.ts";
import { PemError } from "../../src/core/x509/pem.ts";
import { refusalOf } from "../../src/edge/rpc/ca-status.ts";
import { makeAuthority, type TestAuthority } from "../support/authority.ts";
import { WIRE_CSR } from "./grpc-wire.ts";

const nowMs = Date.now();
const times = { answerMs: 30_000, restMs: 10_000, endMs: 2_000 };
const policy = { defaultTtlSeconds: 3_600, maxTtlSeconds: 7_200 };

let test1: TestAuthority;
let test2: TestAuthority;
before(async () => {
  [test1, test2] = await Promise.all([
    makeAuthority("p256", nowMs),
    makeAuthority("rsa3072", nowMs),
  ]);
});

const partsOf = ({ root, privateKey: key }: TestAuthority): AuthorityParts => ({
  source: { kind: "software", location: "store", key },
  chain: [],
  root,
});

function ordersOf(count: number, changes: Partial<WorkloadOrder> = {}): WorkloadOrder[] {
  return Array.from({ length: count }, (_, index) => ({
    spiffeId: `spiffe://cluster.local/ns/shop/sa/w-${index}`,
    csrPem: WIRE_CSR,
    requestedTtlSeconds: 0n,
    serial: randomBytes(16),
    ...changes,
  }));
}

test("a queue whose signing fails answers everybody who waits", async () => {
  const queue = new IssuanceQueue(
    {
      refreshKeys: async () => true,
      assertReady: () => {},
      assertAdmitted: () => {},
      held: () => undefined,
      issue: () => Promise.reject(new TypeError("no more threads")),
      nowMs: Date.now,
    },
    () => ({ callsInFlightMax: 2, queueMax: 8 }),
  );
  const refused = await Promise.all(
    Array.from(
      { length: 5 },
      (_, index) =>
        new Promise<unknown>((resolve, reject) => {
          queue.submit({
            requestId: String(index),
            address: "test",
            agent: "",
            authenticate: () => ({
              id: SpiffeId.parse("spiffe://cluster.local/ns/shop/sa/cart"),
              expiresAtMs: Infinity,
              evidence: { method: "jwt", issuer: "https://issuer" },
            }),
            csrPem: WIRE_CSR,
            requestedTtlSeconds: 0n,
            deadlineMs: Infinity,
            isCancelled: () => false,
            onIssued: () => reject(new Error("issued")),
            onRefused: resolve,
          });
        }),
    ),
  );
  assert.ok(refused.every((error) => error instanceof TypeError));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(queue.depth, 0);
});

describe("signing threads", () => {
  let current: TestAuthority;
  let parts: AuthorityParts;
  const failures: unknown[] = [];
  const pool = new SigningPool({
    authority: () => current.authority,
    parts: () => parts,
    policy: () => policy,
    onFailed: (error) => failures.push(error),
    onRecovered: () => {},
    onStuck: () => assert.fail("it has ended"),
    times,
  });
  const use = (authority: TestAuthority): void => {
    current = authority;
    parts = partsOf(authority);
    pool.renew();
  };
  before(() => use(test1));
  after(() => pool[Symbol.asyncDispose]());

  const urisOf = (outcomes: readonly SignOutcome[]): string[] =>
    outcomes.map((outcome) => {
      if (outcome.kind !== "issued") throw outcome.error;
      return parseCertificate(outcome.certificate.der).uris.join();
    });

  test("have few orders prepared and signed at once, and many by themselves, each in its order", async () => {
    for (const count of [1, 15, 16, 25, 26, 51, 100, 256]) {
      const orders = ordersOf(count);
      const preparing = pool.prepare(orders, nowMs);
      assert.equal(preparing instanceof Promise, count >= 16, String(count));
      const signing = pool.sign(leavesOf(await preparing));
      assert.equal(signing instanceof Promise, count >= 16, String(count));
      assert.deepEqual(
        urisOf(await signing),
        orders.map(({ spiffeId }) => spiffeId),
      );
    }
  });

  test("say of a refusal what the server's own thread says", async () => {
    const bad = { csrPem: "no PEM" };
    const [one] = await pool.prepare(ordersOf(1, bad), nowMs);
    const [other] = await pool.prepare(ordersOf(50, bad), nowMs);
    assert.ok(one?.kind === "refused" && other?.kind === "refused");
    assert.ok(one.error instanceof PemError);
    assert.deepEqual(refusalOf(other.error), refusalOf(one.error));
  });

  test("sign nothing that was prepared for the authority before", async () => {
    for (const count of [1, 30]) {
      const leaves = leavesOf(await pool.prepare(ordersOf(count), nowMs));
      use(test2);
      for (const outcome of await pool.sign(leaves)) {
        assert.ok(outcome.kind === "refused");
        assert.equal(outcome.outcome, "failed");
      }
      const own = await pool.sign(leavesOf(await pool.prepare(ordersOf(count), nowMs)));
      assert.equal(urisOf(own).length, count);
      use(test1);
    }
  });

  test("that have no key refuse as unavailable, tell why, and are made anew", async () => {
    const leaves = leavesOf(await pool.prepare(ordersOf(50), nowMs));
    parts = partsOf({ ...test1, privateKey: test2.privateKey });
    pool.renew();
    const outcomes = await pool.sign(leaves);
    const codes = outcomes.map((outcome) =>
      outcome.kind === "refused" ? refusalOf(outcome.error).metric : outcome.kind,
    );
    assert.deepEqual(new Set(codes), new Set(["UNAVAILABLE"]));
    assert.match(String(failures[0]), /private key of the certificate/);
    parts = partsOf(test1);
    // Not at once: a token locks itself when it is tried again and again.
    const resting = await pool.sign(leaves);
    assert.ok(resting.every(({ kind }) => kind === "refused"));
    assert.equal(failures.length, 2);
    pool.renew();
    assert.equal(urisOf(await pool.sign(leaves)).length, 50);
  });

  test("end with their pool, and of what they had not done nobody knows", async () => {
    const own = new SigningPool({
      authority: () => test1.authority,
      parts: () => partsOf(test1),
      policy: () => policy,
      onFailed: () => assert.fail("it did not fail"),
      onRecovered: () => assert.fail("it did not fail"),
      onStuck: () => assert.fail("it has ended"),
      times,
    });
    const leaves = leavesOf(await own.prepare(ordersOf(200), nowMs));
    const pending = own.sign(leaves);
    await own[Symbol.asyncDispose]();
    for (const outcome of await pending) {
      assert.ok(outcome.kind === "refused");
      assert.equal(outcome.outcome, "unknown");
    }
    for (const outcome of await own.sign(leaves)) {
      assert.ok(outcome.kind === "refused");
      assert.equal(outcome.outcome, "failed");
    }
  });
});

function leavesOf(outcomes: readonly PrepareOutcome[]): readonly PreparedLeaf[] {
  return outcomes.map((outcome) => {
    if (outcome.kind !== "prepared") throw outcome.error;
    return outcome;
  });
}
