/** What dev makes stays dev's: a server never believes its keys, and dev never writes over a server's files. */

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { generateKeyPairSync } from "node:crypto";
import { join } from "node:path";
import { test } from "node:test";
import { TokenIssuer, TokenIssuerError } from "../../src/app/dev/token-issuer.ts";
import { openCallerAuthentication } from "../../src/app/server/caller-authentication.ts";
import { AuthnError } from "../../src/core/identity/authn-error.ts";
import type { JwksEvent } from "../../src/edge/authn/jwks.ts";
import { UsedTokens } from "../../src/edge/authn/used-tokens.ts";
import { resolveServerConfig, settingsFromFlags } from "../../src/edge/config/server-config.ts";
import { Store } from "../../src/edge/store/store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

function writeClusterKeys(path: string): string {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const text = JSON.stringify({
    keys: [{ kid: "cluster-1", ...publicKey.export({ format: "jwk" }) }],
  });
  writeFileSync(path, text);
  return text;
}

const request = { namespace: "a", serviceAccount: "b", audiences: ["istio-ca"], ttlSeconds: 600 };

test("a server that runs keeps its keys when its file is replaced by dev's", async () => {
  using directory = temporaryDirectory();
  const jwks = join(directory.path, "jwks.json");
  writeClusterKeys(jwks);
  const flags = { "data-dir": directory.path, "token-issuer": "https://cluster.test", jwks };
  const config = resolveServerConfig([settingsFromFlags(flags)]);
  const events: JwksEvent[] = [];
  const { signal } = new AbortController();
  using store = await Store.open(join(directory.path, "data"), "server");
  using authentication = await openCallerAuthentication(
    config,
    "server",
    (event) => void events.push(event),
    signal,
    {
      store,
      ownRoots: () => [],
      isDistrusted: () => false,
      usedTokens: new UsedTokens(0),
      kube: undefined,
      nowMs: () => Date.now(),
    },
  );
  const issuer = await TokenIssuer.open(join(directory.path, "dev"));
  const nowMs = Date.now();
  const token = await issuer.mintToken({ ...request, nowMs });
  copyFileSync(issuer.jwksPath, jwks);
  // An unknown key has them read again, once the gap between two reads is over.
  for (let tries = 0; events.at(-1)?.kind !== "failed" && tries < 80; tries++) {
    assert.throws(() => authentication.authenticate(token, nowMs), AuthnError);
    await authentication.refreshKeys();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assert.equal(events.at(-1)?.kind, "failed");
  assert.throws(() => authentication.authenticate(token, nowMs), AuthnError);
});

test("dev and its tokens write nothing into a directory that is not dev's", async () => {
  using directory = temporaryDirectory();
  const foreign = (error: unknown): boolean => error instanceof TokenIssuerError;
  await assert.rejects(TokenIssuer.openExisting(join(directory.path, "nowhere")), foreign);
  assert.equal(existsSync(join(directory.path, "nowhere")), false);
  const server = join(directory.path, "server");
  mkdirSync(server, { mode: 0o700 });
  const text = writeClusterKeys(join(server, "jwks.json"));
  await assert.rejects(TokenIssuer.open(server), foreign);
  await assert.rejects(TokenIssuer.openExisting(server), foreign);
  assert.equal(readFileSync(join(server, "jwks.json"), "utf8"), text);
  assert.equal(existsSync(join(server, "token-issuer-key.pem")), false);
});
