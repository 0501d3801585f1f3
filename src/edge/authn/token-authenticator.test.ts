import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fixedKeys,
  jwksDocument,
  kubernetesClaims,
  makeTokenKey,
  signToken,
  TEST_ISSUER,
  TEST_NOW_MS,
} from "../../../test/support/tokens.ts";
import type { AuthnErrorCode } from "../../core/identity/authn-error.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { KeySet } from "./key-set.ts";
import type { KeySource, TokenAuthenticatorOptions } from "./token-authenticator.ts";
import { isHealedByRefresh, TokenAuthenticator } from "./token-authenticator.ts";

const key = makeTokenKey("RS256", "first");
const second = makeTokenKey("ES256", "second");
const stranger = makeTokenKey("RS256", "stranger");
const keys = fixedKeys(jwksDocument(key, second));
const forever = new AbortController().signal;

function makeAuthenticator(changes: Partial<TokenAuthenticatorOptions> = {}): TokenAuthenticator {
  const trustDomain = TrustDomain.parse("example.com");
  return new TokenAuthenticator({ issuer: TEST_ISSUER, keys, trustDomain, ...changes });
}

function codeOf(verdict: () => unknown): AuthnErrorCode | undefined {
  try {
    verdict();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof AuthnError, String(error));
    return error.code;
  }
}

test("names the caller of a good token", () => {
  for (const signer of [key, second]) {
    const caller = makeAuthenticator().authenticate(signToken(signer), TEST_NOW_MS);
    assert.equal(caller.id.toString(), "spiffe://example.com/ns/shop/sa/cart");
  }
});

const withClaims = (changes: Record<string, unknown>): string =>
  signToken(key, { payload: kubernetesClaims(changes) });
const rawClaims = (text: string): string => signToken(key, { payload: text });
const json = JSON.stringify(kubernetesClaims());

const REFUSED: readonly (readonly [string, AuthnErrorCode, string])[] = [
  ["nothing", "token-malformed", ""],
  ["a token too long", "token-malformed", withClaims({ padding: "x".repeat(8192) })],
  ["an unknown key", "token-key-unknown", signToken(stranger)],
  ["a stranger's key", "token-signature", signToken({ ...stranger, keyId: "first" })],
  ["an algorithm of another key", "token-algorithm", signToken({ ...second, keyId: "first" })],
  ["no algorithm", "token-algorithm", signToken(key, { header: { alg: "none" } })],
  ["claims that are no JSON", "token-malformed", rawClaims("{")],
  ["claims with something after them", "token-malformed", rawClaims(`${json}{}`)],
  ["claims after a byte order mark", "token-malformed", rawClaims(`\ufeff${json}`)],
  ["a list as claims", "token-malformed", rawClaims("[]")],
  ["claims without an expiry", "token-claims", withClaims({ exp: undefined })],
  ["an expiry beyond all numbers", "token-claims", rawClaims(`${json.slice(0, -1)},"exp":1e309}`)],
  ["another issuer", "token-issuer", withClaims({ iss: "https://example.com" })],
  ["another audience", "token-audience", withClaims({ aud: ["vault"] })],
  ["a token that is over", "token-expired", withClaims({ exp: TEST_NOW_MS / 1000 })],
  ["a token of tomorrow", "token-not-yet-valid", withClaims({ nbf: TEST_NOW_MS / 1000 + 60 })],
  ["a user", "token-subject", withClaims({ sub: "alice" })],
  ["a disagreement", "token-subject", withClaims({ sub: "system:serviceaccount:shop:other" })],
];

for (const [what, code, token] of REFUSED) {
  test(`refuses ${what} each time anew: ${code}`, () => {
    const authenticator = makeAuthenticator();
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.equal(
        codeOf(() => authenticator.authenticate(token, TEST_NOW_MS)),
        code,
      );
    }
  });
}

test("reads the last of two claims with one name, as every other reader does", () => {
  const twice = `{"sub":"system:serviceaccount:kube-system:admin",${json.slice(1)}`;
  const caller = makeAuthenticator().authenticate(rawClaims(twice), TEST_NOW_MS);
  assert.equal(caller.namespace, "shop");
});

test("serves a token without key ID if one key fits, and refuses to choose between two", () => {
  const token = signToken(key, { header: { alg: "RS256" } });
  assert.ok(makeAuthenticator().authenticate(token, TEST_NOW_MS));
  const two = makeAuthenticator({ keys: fixedKeys(jwksDocument(key, stranger)) });
  assert.equal(
    codeOf(() => two.authenticate(token, TEST_NOW_MS)),
    "token-key-ambiguous",
  );
});

test("remembers a token, but not for longer than it lasts", () => {
  const authenticator = makeAuthenticator();
  const token = signToken(key);
  const caller = authenticator.authenticate(token, TEST_NOW_MS);
  assert.equal(authenticator.authenticate(token, TEST_NOW_MS + 3_599_999), caller);
  assert.equal(
    codeOf(() => authenticator.authenticate(token, TEST_NOW_MS + 3_600_000)),
    "token-expired",
  );
  assert.equal(
    codeOf(() => authenticator.authenticate(token, TEST_NOW_MS - 10_001)),
    "token-not-yet-valid",
  );
  assert.equal(authenticator.authenticate(token, TEST_NOW_MS), caller);
});

test("remembers no token by a part of it", () => {
  const authenticator = makeAuthenticator();
  const token = signToken(key);
  authenticator.authenticate(token, TEST_NOW_MS);
  for (const other of [token.slice(0, -1), `${token}=`, ` ${token}`, token.toUpperCase()]) {
    assert.ok(codeOf(() => authenticator.authenticate(other, TEST_NOW_MS)));
  }
});

test("remembers as many tokens as it is told, and answers all the same", () => {
  const authenticator = makeAuthenticator({ cacheEntriesMax: 2 });
  const tokens = ["a", "b", "c", "d"].map((jti) => withClaims({ jti }));
  const first = tokens.map((token) => authenticator.authenticate(token, TEST_NOW_MS));
  const again = tokens.map((token) => authenticator.authenticate(token, TEST_NOW_MS));
  assert.deepEqual(first, again);
});

/** A source whose next set a refresh brings. */
class RotatingKeys implements KeySource {
  keySet: KeySet = KeySet.parse(jwksDocument(key));
  isCurrent = true;
  next: string | undefined;

  async refresh(): Promise<boolean> {
    this.isCurrent = this.next !== undefined;
    if (this.next !== undefined) this.keySet = KeySet.parse(this.next);
    return this.isCurrent;
  }
}

test("accepts the token of a new key after one refresh for all who wait", async () => {
  const rotating = new RotatingKeys();
  const authenticator = makeAuthenticator({ keys: rotating });
  const tokens = ["a", "b"].map((jti) => signToken(second, { payload: kubernetesClaims({ jti }) }));
  for (const token of tokens) {
    assert.throws(() => authenticator.authenticate(token, TEST_NOW_MS), isHealedByRefresh);
  }
  rotating.next = jwksDocument(key, second);
  assert.equal(await authenticator.refreshKeys(forever), true);
  for (const token of tokens) assert.ok(authenticator.authenticate(token, TEST_NOW_MS));
});

test("blames the key set and not the token for an unknown key in an outage", async () => {
  const rotating = new RotatingKeys();
  const authenticator = makeAuthenticator({ keys: rotating });
  assert.equal(await authenticator.refreshKeys(forever), false);
  const verdict = (): unknown => authenticator.authenticate(signToken(second), TEST_NOW_MS);
  assert.equal(codeOf(verdict), "keys-unavailable");
  assert.throws(verdict, isHealedByRefresh);
  assert.ok(authenticator.authenticate(signToken(key), TEST_NOW_MS));
});

test("forgets the tokens of a key that was withdrawn", async () => {
  const rotating = new RotatingKeys();
  const authenticator = makeAuthenticator({ keys: rotating });
  const token = signToken(key);
  assert.ok(authenticator.authenticate(token, TEST_NOW_MS));
  rotating.next = jwksDocument(second);
  await authenticator.refreshKeys(forever);
  assert.equal(
    codeOf(() => authenticator.authenticate(token, TEST_NOW_MS)),
    "token-key-unknown",
  );
});

test("expects nothing from a refresh for any other error", () => {
  for (const error of [new AuthnError("token-signature", ""), new Error("x"), undefined]) {
    assert.equal(isHealedByRefresh(error), false);
  }
});

test("never shows a token in an error", () => {
  for (const [, , token] of REFUSED) {
    if (token === "") continue;
    try {
      makeAuthenticator().authenticate(token, TEST_NOW_MS);
    } catch (error) {
      assert.ok(error instanceof AuthnError);
      for (const segment of token.split(".")) {
        assert.ok(segment === "" || !`${error.stack} ${error.hint}`.includes(segment));
      }
    }
  }
});
