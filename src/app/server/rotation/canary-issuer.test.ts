import assert from "node:assert/strict";
import { before, beforeEach, describe, it } from "node:test";
import {
  makeAuthority,
  TEST_TRUST_DOMAIN,
  type TestAuthority,
} from "../../../../test/support/authority.ts";
import type { Entry } from "../../../core/log/entry.ts";
import { signPrepared, type SignOutcome } from "../../../core/issuance/sign-prepared.ts";
import { createCsr } from "../../../core/x509/csr-create.ts";
import { Ledger } from "../log/ledger.ts";
import { SigningTurns } from "../signing/signing-turns.ts";
import { CanaryError } from "./canary-error.ts";
import type { CanaryOrder } from "./canary-group.ts";
import { CanaryIssuer } from "./canary-issuer.ts";

const nowMs = Date.UTC(2026, 10, 24, 12);
let ca: TestAuthority;
let root: string;
let entries: Entry[];
let problems: unknown[];
let isPrepared: boolean;
let keyError: Error | undefined;
let signError: Error | undefined;
let issuer: CanaryIssuer;
let turns: SigningTurns;

before(async () => {
  ca = await makeAuthority("p256", nowMs);
  root = ca.authority.rootSha256;
});

beforeEach(() => {
  entries = [];
  problems = [];
  isPrepared = true;
  keyError = undefined;
  signError = undefined;
  turns = new SigningTurns();
  const append = async (more: readonly Entry[]): Promise<{ readonly firstIndex: number }> => {
    const firstIndex = entries.length;
    entries.push(...more);
    return { firstIndex };
  };
  const key = ca.privateKey;
  issuer = new CanaryIssuer({
    next: {
      find: () => (isPrepared ? { rootSha256: root, rootsSequence: 2n } : undefined),
      open: () => {
        if (keyError !== undefined) throw keyError;
        const source = { kind: "software", location: "store", key } as const;
        return { authority: ca.authority, parts: { source, chain: [], root: ca.root } };
      },
    },
    trustDomain: TEST_TRUST_DOMAIN,
    turns,
    signing: {
      signFor: async (_, authority, prepared) => {
        if (signError === undefined) return signPrepared(prepared, authority);
        const error = signError;
        return prepared.map((): SignOutcome => ({ kind: "refused", error, outcome: "failed" }));
      },
    },
    ledger: new Ledger({
      writer: { append },
      time: { assertGood: () => nowMs, nowMs: () => nowMs },
    }),
    maxTtlSeconds: () => 86_400,
    assertSettled: () => {},
    onUnfit: () => assert.fail("unfit"),
    onProblem: (error) => problems.push(error),
    nowMs: () => nowMs,
  });
});

async function order(changes: Partial<CanaryOrder> = {}): Promise<readonly string[]> {
  const { csrPem } = await createCsr();
  const caller = { agent: "a1", peerSerialHex: "5a01", address: "192.0.2.1:1", requestId: "r" };
  return await issuer.issue({
    ...caller,
    csrPem,
    rootSha256: root,
    assertPeer: () => {},
    ...changes,
  });
}

describe("a canary", () => {
  it("is in the log before it is signed, with its root, its agent, and what the agent came with", async () => {
    const [leaf, ...others] = await order();
    assert.match(leaf ?? "", /BEGIN CERTIFICATE/);
    assert.deepEqual(others, []);
    const [intent, result] = entries;
    assert.ok(intent?.kind === "intent" && result?.kind === "result");
    assert.deepEqual(
      [intent.artifact, intent.identity, intent.agent, intent.root, intent.evidence.issuer],
      ["canary", "spiffe://cluster.local/portcullis/canary", "a1", root, "serial:5a01"],
    );
    assert.equal(result.outcome, "signed");
  });

  it("is signed within a turn that a change of trust waits for", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const alone = turns.alone(() => promise);
    const asked = order();
    await new Promise((done) => setImmediate(done));
    assert.deepEqual(entries, []);
    isPrepared = false;
    resolve();
    await alone;
    await assert.rejects(asked, { code: "canary-nothing-prepared" });
    assert.deepEqual(entries, []);
  });

  it("is refused for another root, and spoils no other's", async () => {
    const all = await Promise.allSettled([
      order({ rootSha256: "0a".repeat(32) }),
      order({ csrPem: "none" }),
      order({
        assertPeer: () => {
          throw new Error("denied");
        },
      }),
      order(),
    ]);
    assert.deepEqual(
      all.map(({ status }) => status),
      ["rejected", "rejected", "rejected", "fulfilled"],
    );
    assert.equal(entries.length, 2);
    assert.deepEqual(problems, []);
  });
});

describe("the proof is impossible", () => {
  it("where the key is not there, said once, until it is", async () => {
    keyError = new CanaryError("canary-key-missing", "expected the key, got none");
    for (const _ of [1, 2]) await assert.rejects(order(), keyError);
    assert.equal(issuer.problemOf(root), keyError.message);
    assert.equal(issuer.problemOf("0a"), undefined);
    assert.deepEqual(problems, [keyError]);
    keyError = undefined;
    await order();
    assert.equal(issuer.problemOf(root), undefined);
  });

  it("where the key does not sign", async () => {
    signError = new Error("the HSM is away");
    await assert.rejects(order(), signError);
    assert.equal(issuer.problemOf(root), "the HSM is away");
    const [, result] = entries;
    assert.ok(result?.kind === "result" && result.outcome === "failed");
  });
});
