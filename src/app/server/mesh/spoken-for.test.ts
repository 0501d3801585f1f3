import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthnError } from "../../../core/identity/authn-error.ts";
import type { Caller } from "../../../core/identity/caller.ts";
import { PendingCaller } from "../../../core/identity/pending-caller.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import { SpokenFor } from "./spoken-for.ts";

const asked = Promise.withResolvers<Caller>();

/** A token is `PATH EXPIRY`; one without an expiry is not believed, and one that expires `later` not yet. */
function spokenFor(refreshKeys: () => Promise<unknown> = async () => {}): SpokenFor {
  return new SpokenFor({
    isNodeAgent: () => true,
    refreshKeys,
    authenticate: (token) => {
      const [path = "", expiresAtMs] = token.split(" ");
      if (expiresAtMs === undefined) throw new AuthnError("token-signature", "no");
      if (expiresAtMs === "asked") throw new PendingCaller(() => asked.promise);
      if (expiresAtMs === "later") throw new AuthnError("keys-unavailable", "not yet");
      const id = SpiffeId.parse(`spiffe://td${path}`);
      const evidence = { method: "jwt", issuer: "test" } as const;
      return { id, expiresAtMs: Number(expiresAtMs), evidence };
    },
  });
}

test("a node speaks for a workload until the last of its tokens has expired", () => {
  const node = spokenFor();
  assert.deepEqual(node.take(["/a 100", "/b 50", "/a 80"], 0), []);
  assert(node.has("spiffe://td/a", 99));
  assert(!node.has("spiffe://td/a", 100));
  assert(!node.has("spiffe://td/b", 50));
  assert(!node.has("spiffe://td/c", 0));
});

test("a token that is not believed is passed over, and the others count", () => {
  const node = spokenFor();
  const [error, ...others] = node.take(["/a", "/b 50"], 0);
  assert(error instanceof AuthnError);
  assert.deepEqual(others, []);
  assert(!node.has("spiffe://td/a", 0));
  assert(node.has("spiffe://td/b", 0));
});

test("the keys are read once for all tokens that cannot be judged yet, and for no others", () => {
  let reads = 0;
  const node = spokenFor(async () => void (reads += 1));
  assert.equal(node.take(["/a", "/b 50"], 0).length, 1);
  assert.equal(reads, 0);
  assert.equal(node.take(["/c later", "/d later", "/b 60", "/a"], 0).length, 3);
  assert.equal(reads, 1);
  assert(!node.has("spiffe://td/c", 0));
  assert(node.has("spiffe://td/b", 55));
});

test("what does not count is told once, until it has counted", () => {
  const node = spokenFor();
  const told = (): boolean[] => ["spiffe://td/a", "no"].map((problem) => node.isNews(problem));
  assert.deepEqual(
    [told(), told()],
    [
      [true, true],
      [false, false],
    ],
  );
  node.take(["/a 100"], 0);
  assert.deepEqual(told(), [true, false]);
});

test("a node speaks for at most 4,096 identities at once", () => {
  const node = spokenFor();
  const tokens = Array.from({ length: 4_097 }, (_, at) => `/${at} 100`);
  assert.equal(node.take(tokens, 0).length, 1);
  assert(!node.has("spiffe://td/4096", 0));
  assert.deepEqual(node.take(["/0 120", "/4096 200"], 100), []);
  assert(node.has("spiffe://td/4096", 150));
});

test("a token about which somebody is asked counts from the answer on, and is no refusal before", async () => {
  const node = spokenFor();
  assert.deepEqual(node.take(["/a asked"], 0), []);
  assert(!node.has("spiffe://td/a", 0));
  const evidence = { method: "jwt", issuer: "test" } as const;
  asked.resolve({ id: SpiffeId.parse("spiffe://td/a"), expiresAtMs: 50, evidence });
  await asked.promise;
  await new Promise(setImmediate);
  assert(node.has("spiffe://td/a", 49));
});
