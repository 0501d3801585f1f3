/** What an agent outside of Kubernetes proves itself with, beside a real control plane. */

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import type { CredentialSource } from "../../src/app/agent/credential.ts";
import { formatYaml } from "../../src/edge/config/yaml.ts";
import { createJoinToken } from "../../src/edge/rpc/join-token-client.ts";
import { startServer } from "../server/portcullis-process.ts";
import { SdsClient, secretsIn, serialOf } from "../support/agent-sds.ts";
import { TestAgent } from "../support/agent.ts";
import {
  eventually,
  startControlPlane,
  type LogLine,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { freePort } from "../support/envoy.ts";
import { runVerb } from "../support/mesh-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, makeTokenKey } from "../support/tokens.ts";
import { MachinePki, type Machine } from "../support/x5c-pki.ts";

const db1 = "spiffe://cluster.local/vm/db-1";
const db2 = "spiffe://cluster.local/vm/db-2";

// Most of the time is spent waiting for certificates to age.
describe("an agent with a join token", { concurrency: true, timeout: 60_000 }, () => {
  test("gets the first certificate by it, and each later one by the one before", async () => {
    await using scene = await openScene({ "renew-by-certificate": "true" });
    await scene.bringToken(db1);
    const agent = await scene.start({ ttlSeconds: 3 });
    const { serial } = await agent.untilCount("certificate-received", 1);
    rmSync(scene.tokenFile);
    const { spiffeId } = await agent.untilCount("certificate-received", 3);
    assert.equal(spiffeId, db1);
    assert.deepEqual(agent.events("renewal-failed"), []);
    const [first, second, third] = evidenceIn(scene.it.log);
    assert.deepEqual(
      [first?.method, second?.method, third?.method],
      ["join-token", "certificate", "certificate"],
    );
    assert.equal(second?.serialHex, serial);
    // The seven days count from the token, however often it renews.
    assert.equal(third?.enrolledAtMs, first?.enrolledAtMs);
  });

  test("goes on from its state directory without a token, within a certificate's life", async () => {
    await using scene = await openScene({ "renew-by-certificate": "true" });
    await scene.bringToken(db1);
    {
      await using agent = await scene.start({ ttlSeconds: 6 });
      await agent.untilCount("certificate-received", 1);
    }
    rmSync(scene.tokenFile);
    const agent = await scene.start({ ttlSeconds: 6 });
    await agent.untilCount("certificate-received", 1);
    assert.equal(evidenceIn(scene.it.log).at(-1)?.method, "certificate");
  });

  test("gets nothing by a token that another has used, says so, and takes the next", async () => {
    await using scene = await openScene({ "renew-by-certificate": "true" });
    const token = await scene.bringToken(db1);
    const thief = await scene.start();
    await thief.untilCount("certificate-received", 1);
    using directory = temporaryDirectory();
    const late = await scene.start({ directory: directory.path });
    const { reason } = await late.untilCount("renewal-failed", 2);
    assert.equal(reason, "ca-unauthenticated");
    await untilRefused(scene.it, "join-token-unknown");
    assert.deepEqual(late.events("certificate-received"), []);
    const shown = JSON.stringify([late.events("renewal-failed"), scene.it.log]);
    assert(!shown.includes(token.slice(-43)));
    await scene.bringToken(db1);
    await late.untilCount("certificate-received", 1);
  });

  test("is healed by a new token when its renewal is refused, and serves until then", async () => {
    await using scene = await openScene();
    await scene.bringToken(db1);
    const agent = await scene.start({ ttlSeconds: 8 });
    const { serial } = await agent.untilCount("certificate-received", 1);
    await agent.untilCount("renewal-failed", 1);
    await untilRefused(scene.it, "renewal-off");
    await untilRefused(scene.it, "join-token-unknown");
    assert.equal(await servedSerial(agent), serial);
    await scene.bringToken(db1);
    const next = await agent.untilCount("certificate-received", 2);
    assert.equal(await servedSerial(agent), next["serial"]);
    assert.deepEqual(agent.events("certificate-expired"), []);
    assert.equal(evidenceIn(scene.it.log).at(-1)?.method, "join-token");
  });

  test("is healed by a new token at once when the server's root was lost, before its own is over", async () => {
    await using stack = new AsyncDisposableStack();
    const flags = { listen: `127.0.0.1:${await freePort()}`, "renew-by-certificate": "true" };
    const old = stack.use(await openScene(flags));
    await old.bringToken(db1);
    const agent = await old.start({ ttlSeconds: 20 });
    await agent.untilCount("certificate-received", 1);
    await old.it[Symbol.asyncDispose]();
    const it = stack.use(await startControlPlane({ flags }));
    await agent.stop();
    await using next = await old.start({ serverRoot: it.rootPem, ttlSeconds: 20 });
    const { reason, hint } = await next.untilCount("renewal-failed", 3);
    assert.equal(reason, "ca-unauthenticated");
    assert.match(String(hint), /join token/);
    await old.bringToken(db1, it);
    const { spiffeId } = await next.untilCount("certificate-received", 1);
    assert.equal(spiffeId, db1);
    assert.deepEqual(next.events("certificate-expired"), []);
    assert.equal(evidenceIn(it.log).at(-1)?.method, "join-token");
  });

  test("is healed by it while it runs, after two handshakes, when the file has both roots", async () => {
    await using stack = new AsyncDisposableStack();
    const flags = { listen: `127.0.0.1:${await freePort()}`, "renew-by-certificate": "true" };
    const old = stack.use(await openScene(flags));
    await old.bringToken(db1);
    // Longer than one server needs to end and another to begin: whose certificate is over asks by the token at once.
    const agent = await old.start({ ttlSeconds: 24 });
    await agent.untilCount("certificate-received", 1);
    await old.it[Symbol.asyncDispose]();
    const it = stack.use(await startControlPlane({ flags }));
    await old.bringToken(db1, it);
    writeFileSync(join(old.directory, "root.pem"), `${old.it.rootPem}${it.rootPem}`);
    await eventually(() => agent.events("certificate-received").length >= 2, 40_000);
    // A slow machine has no server for some time, and then one whose root is not in the file yet; the old one may have closed a handshake.
    const early = new Set<unknown>(["ca-unreachable", "ca-untrusted"]);
    const failed = agent.events("renewal-failed").map(({ reason }) => reason);
    const told = failed.filter((reason) => !early.has(reason));
    assert.deepEqual(new Set(told), new Set(["ca-closed"]), failed.join(" "));
    assert.equal(evidenceIn(it.log).at(-1)?.method, "join-token");
  });

  test("does not become another by another's token, which is spent", async () => {
    await using scene = await openScene();
    await scene.bringToken(db1);
    const agent = await scene.start({ ttlSeconds: 8 });
    const { serial } = await agent.untilCount("certificate-received", 1);
    await scene.bringToken(db2);
    await agent.until("renewal-failed", (events) =>
      events.some(({ reason }) => reason === "reply-foreign-identity"),
    );
    await untilRefused(scene.it, "join-token-unknown");
    assert.equal(await servedSerial(agent), serial);
    assert.equal(agent.events("certificate-received").length, 1);
  });

  test("waits for a token that is not there yet", async () => {
    await using scene = await openScene();
    const agent = await scene.start();
    const { reason } = await agent.untilCount("renewal-failed", 1);
    assert.equal(reason, "join-token-missing");
    await scene.bringToken(db1);
    await agent.untilCount("certificate-received", 1);
  });
});

describe("an agent with another PKI's certificate", { timeout: 40_000 }, () => {
  test("makes a token for each request, by the certificate that is there then", async () => {
    using files = temporaryDirectory();
    const pki = new MachinePki(files.path);
    await using server = await startX5cServer(files.path, pki);
    const log = (): LogLine[] => parseLog(server.stderr());
    const credential = writeMachine(files.path, pki.machine({ issuer: pki.intermediate() }));
    using directory = temporaryDirectory();
    await using agent = await TestAgent.start({
      directory: directory.path,
      server: server.endpoints.ca,
      serverRoot: await fetchRoot(server.endpoints.admin),
      credential,
      ttlSeconds: 3,
    });
    // For as long as a token may have been used before its start, a server takes none.
    await eventually(() => agent.events("certificate-received").length > 0, 25_000);
    await agent.untilCount("certificate-received", 2);
    writeMachine(files.path, pki.machine());
    const { spiffeId } = await agent.untilCount("certificate-received", 3);
    assert.equal(spiffeId, db1);
    const issued = await eventually(() => {
      const evidence = evidenceIn(log());
      return evidence.length >= 3 && evidence;
    });
    assert.deepEqual(new Set(issued.map(({ method }) => method)), new Set(["x5c"]));
    assert.equal(new Set(issued.map(({ tokenId }) => tokenId)).size, issued.length);
    assert.equal(issued[0]?.serialHex, issued[1]?.serialHex);
    assert.notEqual(issued[1]?.serialHex, issued[2]?.serialHex);
  });

  test("asks nobody while certificate and key are no pair", async () => {
    using files = temporaryDirectory();
    const pki = new MachinePki(files.path);
    const { certificateChain } = pki.machine();
    const { privateKey, node } = pki.machine();
    const credential = writeMachine(files.path, { certificateChain, privateKey, node });
    await using scene = await openScene();
    const agent = await scene.start({ credential });
    const { reason } = await agent.untilCount("renewal-failed", 2);
    assert.equal(reason, "x5c-key-mismatch");
    assert.deepEqual(
      scene.it.log.filter(({ event }) => event === "request-refused"),
      [],
    );
  });
});

const agentVerb = ["agent", "--server", "127.0.0.1:1", "--server-root", "r"];
const places = ["--state-dir", "/nowhere/state", "--sds-socket", "/nowhere/sds.sock"];
const misuses: readonly (readonly string[])[] = [
  [],
  ["--x5c-cert", "c"],
  ["--x5c-key", "k"],
  ["--token-file", "t", "--join-token-file", "j"],
  ["--token-file", "t", "--x5c-cert", "c", "--x5c-key", "k"],
  ["--join-token-file", "j", "--x5c-key", "k"],
];

for (const flags of misuses) {
  test(`agent refuses ${flags.join(" ") || "no credential at all"}`, async () => {
    assert.equal((await runVerb(...agentVerb, ...places, ...flags)).exitCode, 2);
  });
}

interface Scene extends AsyncDisposable {
  readonly it: TestControlPlane;
  readonly directory: string;
  readonly tokenFile: string;
  /** Into the token file. @param of another than `it` @returns the token */
  bringToken(spiffeId: string, of?: TestControlPlane): Promise<string>;
  /** @param changes a directory and a credential of its own, if it is not to share them */
  start(changes?: {
    readonly directory?: string;
    readonly credential?: CredentialSource;
    readonly serverRoot?: string;
    readonly ttlSeconds?: number;
  }): Promise<TestAgent>;
}

async function openScene(flags: Readonly<Record<string, string>> = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(temporaryDirectory()).path;
  const tokenFile = join(directory, "join-token");
  const it = stack.use(await startControlPlane({ flags }));
  const owned = stack.move();
  const credential = { kind: "join-token", file: tokenFile } as const;
  const options = { directory, credential, server: it.address, serverRoot: it.rootPem };
  return {
    it,
    directory,
    tokenFile,
    bringToken: async (spiffeId, of = it) => {
      const { admin } = of.controlPlane.endpoints;
      const { token } = await createJoinToken(admin, { spiffeId, ttlSeconds: 0 });
      writeFileSync(tokenFile, `${token}\n`);
      return token;
    },
    start: async (changes) => owned.use(await TestAgent.start({ ...options, ...changes })),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** @param directory for its files, and for its data */
async function startX5cServer(directory: string, pki: MachinePki) {
  const file = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const entry = {
    name: "corp",
    roots: file("roots.pem", pki.root.certPem),
    audiences: ["portcullis"],
    rules: [{ match: { dns: "*.corp.example" }, spiffeId: "/vm/{dns.label}" }],
  };
  const keys = jwksDocument(makeTokenKey("ES256", "k"));
  const config = {
    tokens: { issuer: "https://cluster.example", jwks: file("jwks.json", keys) },
    listen: "127.0.0.1:0",
    metrics: { listen: "127.0.0.1:0" },
    identities: { x5c: [entry] },
  };
  const configFile = file("server.yaml", formatYaml(config));
  return startServer(join(directory, "data"), ["server", "--config", configFile]);
}

/** As an operator would bring it to the machine. */
async function fetchRoot(admin: string): Promise<string> {
  const { exitCode, stdout } = await runVerb("bundle", "show", "--admin", admin);
  assert.equal(exitCode, 0);
  return stdout;
}

function writeMachine(directory: string, { certificateChain, privateKey }: Machine) {
  const certificateFile = join(directory, "machine.pem");
  const keyFile = join(directory, "machine.key");
  writeFileSync(keyFile, privateKey);
  writeFileSync(certificateFile, certificateChain);
  return { kind: "x5c", certificateFile, keyFile, audience: "portcullis" } as const;
}

interface Evidence {
  readonly method?: string;
  readonly serialHex?: string;
  readonly tokenId?: string;
  readonly enrolledAtMs?: number;
}

function evidenceIn(log: readonly LogLine[]): readonly Evidence[] {
  const issued = log.filter(({ event }) => event === "certificate-issued");
  return issued.map((line) => line["evidence"] as Evidence);
}

function parseLog(text: string): LogLine[] {
  const lines = text.split("\n").filter((line) => line.startsWith("{") && line.endsWith("}"));
  return lines.map((line) => ({ ...JSON.parse(line), text: line }));
}

async function untilRefused({ log }: TestControlPlane, reason: string): Promise<void> {
  await eventually(() => log.some((line) => line["reason"] === reason));
}

async function servedSerial({ socketPath }: TestAgent): Promise<string | undefined> {
  using client = new SdsClient(socketPath);
  return serialOf(secretsIn(await client.fetch(["default"])).get("default"));
}
