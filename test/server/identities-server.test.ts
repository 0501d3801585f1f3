/** The other ways to be a caller, through a server that runs: from the operator's word to a certificate. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomUUID, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

import { runCli } from "../../src/app/cli/run.ts";
import { joinTokenCreate } from "../../src/app/cli/verbs/join-token-create.ts";
import { encodeJoinToken, joinTokenDigest } from "../../src/core/identity/join-token.ts";
import { SpiffeId } from "../../src/core/spiffe/id.ts";
import { createX5cToken } from "../../src/edge/authn/x5c-token.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import {
  createJoinToken,
  JoinTokenRefusedError,
  type JoinTokenRequest,
} from "../../src/edge/rpc/join-token-client.ts";
import { Store } from "../../src/edge/store/store.ts";
import {
  eventually,
  mint,
  startControlPlane,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, makeTokenKey, signToken } from "../support/tokens.ts";
import { MachinePki } from "../support/x5c-pki.ts";
import { CODE, dialWire, sign, WIRE_KEY, type SigningReply } from "./grpc-wire.ts";
import { startServer } from "./portcullis-process.ts";

const ID = "spiffe://cluster.local/vm/db-1";
const dayMs = 86_400_000;

async function joinTokenOf(it: TestControlPlane, request: Partial<JoinTokenRequest> = {}) {
  const { admin } = it.controlPlane.endpoints;
  return await createJoinToken(admin, { spiffeId: ID, ttlSeconds: 0, ...request });
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function leafOf({ code, message, certChain }: SigningReply): X509Certificate {
  assert.equal(code, CODE.ok, message);
  return new X509Certificate(certChain[0] ?? "");
}

function reasonOf(it: TestControlPlane, reply: SigningReply): unknown {
  const id = reply.metadata["x-request-id"];
  return it.log.find(({ requestId }) => requestId === id)?.["reason"];
}

/** A connection with the certificate that a reply brought. */
function dialWith(it: TestControlPlane, { certChain }: SigningReply) {
  const key = WIRE_KEY.privateKey.export({ format: "pem", type: "pkcs8" });
  return dialWire(it, { cert: certChain.slice(0, -1).join(""), key });
}

test("a join token gets one certificate, however many ask with it at the same time", async () => {
  await using it = await startControlPlane();
  const { token, expiresAt } = await joinTokenOf(it);
  const connections = Array.from({ length: 4 }, () => dialWire(it));
  const attempts = Array.from({ length: 60 }, (_, index) => connections[index % 4]);
  const replies = await Promise.all(
    attempts.flatMap((connection) => (connection ? [sign(connection, bearer(token))] : [])),
  );
  const [granted, ...others] = replies.filter(({ code }) => code === CODE.ok);
  assert.ok(granted !== undefined);
  assert.equal(others.length, 0);
  assert.equal(leafOf(granted).subjectAltName, `URI:${ID}`);
  for (const reply of replies.filter((each) => each !== granted)) {
    assert.equal(reply.code, CODE.unauthenticated);
    assert.equal(reasonOf(it, reply), "join-token-unknown");
  }
  assert.ok(Number(expiresAt?.seconds) * 1000 - Date.now() > 590_000);
  const created = it.log.find(({ event }) => event === "join-token-created");
  const issued = it.log.find(({ event }) => event === "certificate-issued");
  const evidence = issued?.["evidence"] as Record<string, unknown> | undefined;
  assert.equal(evidence?.["joinTokenId"], created?.["joinTokenId"]);
  for (const { text } of it.log) assert.ok(!text.includes(token.slice(-43)), "a token in the log");
  await Promise.all(connections.map((each) => each[Symbol.asyncDispose]()));
});

test("a join token that has expired is refused and gone", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const { token } = await joinTokenOf(it, { ttlSeconds: 60 });
  it.advance(60_000);
  const late = await sign(connection, bearer(token));
  assert.equal(reasonOf(it, late), "join-token-expired");
  it.advance(-60_000);
  assert.equal(reasonOf(it, await sign(connection, bearer(token))), "join-token-unknown");
  assert.equal(late.message, "request authenticate failure");
});

test("no join token is made for what may not be given", async () => {
  await using it = await startControlPlane();
  const table: readonly Partial<JoinTokenRequest>[] = [
    { spiffeId: "" },
    { spiffeId: "spiffe://other.example/vm/db-1" },
    { spiffeId: "spiffe://cluster.local" },
    { spiffeId: "spiffe://cluster.local/portcullis/server" },
    { spiffeId: "spiffe://cluster.local/ns/vm" },
    { ttlSeconds: 86_401 },
    { ttlSeconds: -1 },
  ];
  for (const request of table)
    await assert.rejects(joinTokenOf(it, request), JoinTokenRefusedError);
});

test("a certificate of a join token renews itself, and no certificate outlives the chain", async () => {
  await using it = await startControlPlane({ flags: { "renew-by-certificate": "true" } });
  await using connection = dialWire(it);
  const { token } = await joinTokenOf(it);
  const message = { validityDuration: 30n * 86_400n };
  let reply = await sign(connection, { ...bearer(token), message });
  const endMs = Date.now() + 7 * dayMs;
  for (let renewal = 0; renewal < 3; renewal++) {
    const leaf = leafOf(reply);
    assert.equal(leaf.subjectAltName, `URI:${ID}`);
    assert.ok(Date.parse(leaf.validTo) <= endMs + 1000 && Date.parse(leaf.validTo) > endMs - dayMs);
    await using own = dialWith(it, reply);
    reply = await sign(own, { authorization: null, message });
  }
  await using own = dialWith(it, reply);
  it.advance(7 * dayMs);
  const late = await sign(own, { authorization: null });
  assert.equal(late.code, CODE.unauthenticated);
  assert.equal(reasonOf(it, late), "renewal-certificate-expired");
});

test("a certificate that came of a service account's token renews nothing", async () => {
  await using it = await startControlPlane({ flags: { "renew-by-certificate": "true" } });
  await using connection = dialWire(it);
  const reply = await sign(connection, bearer(mint()));
  await using own = dialWith(it, reply);
  const refused = await sign(own, { authorization: null });
  assert.equal(refused.code, CODE.unauthenticated);
  assert.equal(reasonOf(it, refused), "renewal-not-enrolled");
  // What is said and wrong is not made good by a certificate.
  const garbage = await sign(own, { authorization: "Basic dTpw" });
  assert.equal(reasonOf(it, garbage), "token-missing");
});

test("a certificate renews nothing unless that is allowed", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const reply = await sign(connection, bearer((await joinTokenOf(it)).token));
  await using own = dialWith(it, reply);
  const refused = await sign(own, { authorization: null });
  assert.equal(refused.code, CODE.unauthenticated);
  assert.equal(reasonOf(it, refused), "renewal-off");
});

test("a token that was taken stays taken when the process is killed at that moment", async () => {
  using directory = temporaryDirectory();
  const token = encodeJoinToken(new Uint8Array(32).fill(7));
  const digest = joinTokenDigest(token);
  const expiresAtMs = Date.now() + 600_000;
  {
    using store = await Store.open(directory.path, "server");
    store.joinTokens.add({ digest, id: SpiffeId.parse(ID), expiresAtMs }, Date.now());
  }
  const module = pathToFileURL(join(import.meta.dirname, "../../src/edge/store/store.ts")).href;
  const script =
    `const { Store } = await import(${JSON.stringify(module)});` +
    `const store = await Store.open(${JSON.stringify(directory.path)}, "server");` +
    `const hex = ${JSON.stringify(Buffer.from(digest).toString("hex"))};` +
    'if (store.joinTokens.take(Buffer.from(hex, "hex")) === undefined) process.exit(3);' +
    'process.kill(process.pid, "SIGKILL");';
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  assert.deepEqual(await once(child, "exit"), [null, "SIGKILL"]);
  using store = await Store.open(directory.path, "server");
  assert.equal(store.joinTokens.take(digest), undefined);
});

test("a server without a cluster, killed at any moment, never gives two certificates for one join token", async () => {
  using directory = temporaryDirectory();
  const dataDir = join(directory.path, "data");
  const args = ["server", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
  for (const delayMs of [0, 3, 8]) {
    let token = "";
    let certificates = 0;
    {
      await using server = await startServer(dataDir, args);
      ({ token } = await createJoinToken(server.endpoints.admin, { spiffeId: ID, ttlSeconds: 0 }));
      const rootPem = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
      await using connection = dialWire({ address: server.endpoints.ca, rootPem });
      // Undefined when the connection ends before the reply.
      const reply = sign(connection, bearer(token)).catch(() => undefined);
      await sleep(delayMs);
      server.kill("SIGKILL");
      if ((await reply)?.code === CODE.ok) certificates++;
    }
    await using server = await startServer(dataDir, args);
    const rootPem = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
    await using connection = dialWire({ address: server.endpoints.ca, rootPem });
    for (let attempt = 0; attempt < 2; attempt++) {
      if ((await sign(connection, bearer(token))).code === CODE.ok) certificates++;
    }
    assert.ok(certificates <= 1, `${certificates} certificates, killed after ${delayMs} ms`);
  }
});

test("issuers and PKIs of the configuration file get certificates by their rules", async () => {
  using directory = temporaryDirectory();
  const file = (name: string, text: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, text);
    return path;
  };
  const [cluster, forge] = [makeTokenKey("ES256", "k"), makeTokenKey("RS256", "k")];
  const pki = new MachinePki(directory.path, "rsa2048");
  const issuer = "https://forge.example";
  const config = {
    tokens: { issuer: "https://cluster", jwks: file("jwks.json", jwksDocument(cluster)) },
    listen: "127.0.0.1:0",
    metrics: { listen: "127.0.0.1:0" },
    identities: {
      oidc: [
        {
          issuer,
          jwks: file("forge.json", jwksDocument(forge)),
          audiences: ["portcullis"],
          rules: [{ match: { repository: "acme/shop" }, spiffeId: "/ci/{owner}" }],
        },
      ],
      x5c: [
        {
          name: "corp",
          roots: file("roots.pem", pki.root.certPem),
          audiences: ["portcullis"],
          rules: [{ match: { dns: "*.corp.example" }, spiffeId: "/vm/{dns.label}" }],
        },
      ],
    },
  };
  const dataDir = join(directory.path, "data");
  const args = ["server", "--config", file("server.yaml", formatYaml(config))];
  await using server = await startServer(dataDir, args);
  const rootPem = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
  await using connection = dialWire({ address: server.endpoints.ca, rootPem });
  const NOW = Math.ceil(Date.now() / 1000) + 1;
  const claims = { iss: issuer, aud: "portcullis", sub: "s", repository: "acme/shop" };
  const payload = { ...claims, owner: "acme", iat: NOW, exp: NOW + 60 };
  const ci = leafOf(await sign(connection, bearer(signToken(forge, { payload }))));
  assert.equal(ci.subjectAltName, "URI:spiffe://cluster.local/ci/acme");
  const machine = pki.machine({ issuer: pki.intermediate() });
  // Those of before could have been used before the server started, by a clock that runs ahead.
  const early = createX5cToken(machine, "portcullis", randomUUID(), Date.now() + 1_000);
  assert.equal((await sign(connection, bearer(early))).code, CODE.unavailable);
  const { token, reply } = await eventually(async () => {
    const token = createX5cToken(machine, "portcullis", randomUUID(), Date.now() + 10_000);
    const reply = await sign(connection, bearer(token));
    return reply.code === CODE.ok && { token, reply };
  });
  assert.equal(leafOf(reply).subjectAltName, "URI:spiffe://cluster.local/vm/db-1");
  assert.equal((await sign(connection, bearer(token))).code, CODE.unauthenticated);
});

test("join-token create prints the token alone, and what it is good for beside it", async () => {
  await using it = await startControlPlane();
  const said = { stdout: "", stderr: "" };
  const run = (...args: readonly string[]) =>
    runCli(["join-token", "create", "--admin", it.controlPlane.endpoints.admin, ...args], {
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
      env: {},
      signal: new AbortController().signal,
      nowMs: () => Date.now(),
      isTty: false,
      columns: 80,
      registry: [
        { path: ["join-token", "create"], summary: "", load: async () => joinTokenCreate },
      ],
    });
  assert.equal(await run("--spiffe-id", ID, "--ttl", "1h"), 0);
  assert.match(said.stdout, /^portcullis-join-[\w-]{43}\n$/);
  assert.match(said.stderr, /^good once, for spiffe:\/\/cluster.local\/vm\/db-1; expires in 59m/);
  await using connection = dialWire(it);
  const leaf = leafOf(await sign(connection, bearer(said.stdout.trim())));
  assert.equal(leaf.subjectAltName, `URI:${ID}`);

  said.stdout = "";
  assert.equal(await run("--spiffe-id", ID, "-o", "json"), 0);
  assert.deepEqual(Object.keys(JSON.parse(said.stdout)), ["token", "spiffeId", "expiresAt"]);

  said.stderr = "";
  assert.equal(await run("--spiffe-id", "spiffe://cluster.local/portcullis/x"), 1);
  assert.match(said.stderr, /^error: expected a path outside of \/portcullis/);
});
