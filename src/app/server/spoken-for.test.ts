import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { SpiffeId } from "../../core/spiffe/id.ts";
import { SpokenFor } from "./spoken-for.ts";

/** A token is `PATH EXPIRY`; one without an expiry is not believed. */
function spokenFor(): SpokenFor {
  return new SpokenFor({
    isNodeAgent: () => true,
    authenticate: (token) => {
      const [path = "", expiresAtMs] = token.split(" ");
      if (expiresAtMs === undefined) throw new AuthnError("token-signature", "no");
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

test("a node speaks for at most 4,096 identities at once", () => {
  const node = spokenFor();
  const tokens = Array.from({ length: 4_097 }, (_, at) => `/${at} 100`);
  assert.equal(node.take(tokens, 0).length, 1);
  assert(!node.has("spiffe://td/4096", 0));
  assert.deepEqual(node.take(["/0 120", "/4096 200"], 100), []);
  assert(node.has("spiffe://td/4096", 150));
});
