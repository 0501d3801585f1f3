import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { TEST_NOW_MS } from "../../../test/support/tokens.ts";
import { AuthnError } from "../../core/identity/authn-error.ts";
import { TrustDomain } from "../../core/spiffe/id.ts";
import { DEV_ISSUER, DEV_KEY_ID_PREFIX, isDevIssuer } from "../../edge/authn/dev-issuer.ts";
import { JwksSource } from "../../edge/authn/jwks.ts";
import { TokenAuthenticator } from "../../edge/authn/token-authenticator.ts";
import type { TokenRequest } from "./token-issuer.ts";
import { TokenIssuer, TokenIssuerError } from "./token-issuer.ts";

const forever = new AbortController().signal;
const request: TokenRequest = {
  namespace: "shop",
  serviceAccount: "cart",
  audiences: ["istio-ca"],
  ttlSeconds: 3600,
  nowMs: TEST_NOW_MS,
  pod: { name: "cart-1", node: "node-1" },
};
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function temporaryDirectory(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "portcullis-issuer-"));
  const remove = (): Promise<void> => rm(path, { recursive: true });
  return { path, [Symbol.asyncDispose]: remove };
}

test("mints tokens that its own key set verifies", async () => {
  await using directory = await temporaryDirectory();
  const issuer = await TokenIssuer.open(directory.path);
  const location = { kind: "file", path: issuer.jwksPath } as const;
  using keys = await JwksSource.open({ location, onEvent: () => {} }, forever);
  const trustDomain = TrustDomain.parse("dev.example");
  const authenticator = new TokenAuthenticator({ issuer: DEV_ISSUER, keys, trustDomain });
  const caller = authenticator.authenticate(await issuer.mintToken(request), TEST_NOW_MS);
  assert.equal(caller.id.toString(), "spiffe://dev.example/ns/shop/sa/cart");
  assert.equal(caller.expiresAtMs, TEST_NOW_MS + 3_600_000);
  assert.equal(caller.evidence.pod?.name, "cart-1");
  assert.equal(caller.evidence.node?.name, "node-1");
  assert.ok(isDevIssuer("https://kubernetes.default.svc", keys.keySet.keyIds));
});

test("writes the claims and the header that Kubernetes writes, in shape and order", async () => {
  await using directory = await temporaryDirectory();
  const issuer = await TokenIssuer.open(directory.path);
  const token = await issuer.mintToken(request);
  assert.deepEqual(decodeProtectedHeader(token), { alg: "RS256", kid: issuer.keyId });
  const {
    jti,
    "kubernetes.io": bound,
    ...registered
  } = decodeJwt<{ "kubernetes.io": Bound }>(token);
  assert.match(jti ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(registered, {
    aud: ["istio-ca"],
    exp: TEST_NOW_MS / 1000 + 3600,
    iat: TEST_NOW_MS / 1000,
    iss: DEV_ISSUER,
    nbf: TEST_NOW_MS / 1000,
    sub: "system:serviceaccount:shop:cart",
  });
  assert.deepEqual(Object.keys(bound), ["namespace", "node", "pod", "serviceaccount"]);
  for (const object of [bound.node, bound.pod, bound.serviceaccount]) {
    assert.match(object.uid, UUID);
  }
});

type Bound = Record<"node" | "pod" | "serviceaccount", { readonly uid: string }>;

test("gives the same object the same UID after a restart, and each another", async () => {
  await using directory = await temporaryDirectory();
  const uidOf = async (changes: Partial<TokenRequest>): Promise<string> => {
    const issuer = await TokenIssuer.open(directory.path);
    const token = await issuer.mintToken({ ...request, ...changes });
    return decodeJwt<{ "kubernetes.io": Bound }>(token)["kubernetes.io"].pod.uid;
  };
  const uid = await uidOf({});
  assert.equal(await uidOf({ serviceAccount: "other" }), uid);
  assert.notEqual(await uidOf({ pod: { name: "cart-2" } }), uid);
  assert.notEqual(await uidOf({ namespace: "other" }), uid);
});

test("refuses an account that Kubernetes could not have", async () => {
  await using directory = await temporaryDirectory();
  const issuer = await TokenIssuer.open(directory.path);
  for (const names of [{ namespace: "a:b" }, { serviceAccount: "A" }, { namespace: "" }]) {
    await assert.rejects(issuer.mintToken({ ...request, ...names }), AuthnError);
  }
});

test("keeps its key to itself, and leaves nothing else behind", async () => {
  await using directory = await temporaryDirectory();
  const issuer = await TokenIssuer.open(directory.path);
  assert.deepEqual((await readdir(directory.path)).toSorted(), [
    "jwks.json",
    "token-issuer-key.pem",
  ]);
  const { mode } = await stat(join(directory.path, "token-issuer-key.pem"));
  assert.equal(mode & 0o777, 0o600);
  assert.doesNotMatch(await readFile(issuer.jwksPath, "utf8"), /"d"/);
  assert.ok(issuer.keyId.startsWith(DEV_KEY_ID_PREFIX));
});

test("has one key, however many open an empty directory at once", async () => {
  await using directory = await temporaryDirectory();
  const opened = Array.from({ length: 4 }, () => TokenIssuer.open(directory.path));
  const keyIds = new Set((await Promise.all(opened)).map(({ keyId }) => keyId));
  assert.equal(keyIds.size, 1);
  const again = await TokenIssuer.open(directory.path);
  assert.ok(keyIds.has(again.keyId));
});

for (const text of ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"]) {
  test(`does not replace a key that reads ${JSON.stringify(text)}`, async () => {
    await using directory = await temporaryDirectory();
    const path = join(directory.path, "token-issuer-key.pem");
    await writeFile(path, text);
    await assert.rejects(TokenIssuer.open(directory.path), TokenIssuerError);
    assert.equal(await readFile(path, "utf8"), text);
  });
}

test("does not replace a key that it cannot read", async () => {
  await using directory = await temporaryDirectory();
  await mkdir(join(directory.path, "token-issuer-key.pem"));
  await assert.rejects(TokenIssuer.open(directory.path), TokenIssuerError);
  assert.deepEqual(await readdir(directory.path), ["token-issuer-key.pem"]);
});

test("is recognised by its issuer and by its keys", () => {
  assert.ok(isDevIssuer(DEV_ISSUER, []));
  assert.ok(isDevIssuer("https://example.com", ["a", `${DEV_KEY_ID_PREFIX}b`]));
  assert.ok(!isDevIssuer("https://example.com", ["a", "b"]));
});
