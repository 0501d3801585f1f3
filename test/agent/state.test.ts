/**
 * What an agent finds at its start: its own state, a stranger's, a broken one; a socket that
 * somebody left.
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { TrustDomain } from "../../src/core/spiffe/id.ts";
import { PrivateFileError } from "../../src/edge/config/private-files.ts";
import { UnixSocketError } from "../../src/edge/rpc/unix-listener.ts";
import { ScriptedCa } from "../support/agent-ca.ts";
import { SdsClient, secretsIn, serialOf } from "../support/agent-sds.ts";
import { TestAgent, type TestAgentOptions } from "../support/agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

let ca: ScriptedCa;
before(async () => {
  ca = await ScriptedCa.start();
});
after(async () => ca[Symbol.asyncDispose]());

async function start(
  directory: string,
  changes: Partial<TestAgentOptions> = {},
): Promise<TestAgent> {
  return TestAgent.start({ directory, server: ca.address, serverRoot: ca.rootPem, ...changes });
}

/** An agent's first life. @returns the serial of its certificate */
async function live(directory: string): Promise<string> {
  await using agent = await start(directory);
  const { serial } = await agent.untilCount("certificate-received", 1);
  await agent.untilCount("mesh-connected", 1);
  return String(serial);
}

test("starts warm from what only its owner can read, under its old name", async () => {
  using directory = temporaryDirectory();
  const state = join(directory.path, "state");
  const serial = await live(directory.path);
  assert.equal(statSync(state).mode & 0o777, 0o700);
  for (const file of ["workload.json", "agent-id"]) {
    assert.equal(statSync(join(state, file)).mode & 0o777, 0o600);
  }
  const agentId = readFileSync(join(state, "agent-id"), "utf8");
  const asked = ca.requests.length;
  await using agent = await start(directory.path);
  using client = new SdsClient(agent.socketPath);
  const secrets = secretsIn(await client.fetch(["default", "ROOTCA"]));
  assert.equal(serialOf(secrets.get("default")), serial);
  assert.equal(ca.requests.length, asked);
  assert.equal(readFileSync(join(state, "agent-id"), "utf8"), agentId);
});

type StoredState = Record<string, unknown> & {
  chain: string[];
  bundle: { roots: string[]; sequence: string };
};

const damages: readonly (readonly [string, (state: StoredState) => unknown])[] = [
  ["is another version's", (state) => ({ ...state, version: 2 })],
  ["is no object", () => null],
  ["has no certificate", (state) => ({ ...state, chain: [] })],
  ["has a certificate of another identity", (state) => ({ ...state, id: "spiffe://a.b/c" })],
  ["has a certificate cut short", (state) => ({ ...state, chain: [state.chain[0]?.slice(0, 64)] })],
  ["has a key of another certificate", (state) => ({ ...state, privateKeyPkcs8: otherKey() })],
  ["has a key that is none", (state) => ({ ...state, privateKeyPkcs8: "AAAA" })],
  ["has no root", (state) => ({ ...state, bundle: { ...state.bundle, roots: [] } })],
  [
    "has a root that is none",
    (state) => ({ ...state, bundle: { ...state.bundle, roots: ["AA"] } }),
  ],
  [
    "has a sequence that is none",
    (state) => ({ ...state, bundle: { ...state.bundle, sequence: "x" } }),
  ],
];

for (const [what, damage] of damages) {
  test(`reports a stored state that ${what}, and asks for a new certificate`, async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "state", "workload.json");
    const serial = await live(directory.path);
    writeFileSync(path, JSON.stringify(damage(JSON.parse(readFileSync(path, "utf8")))));
    await using agent = await start(directory.path);
    assert.equal(agent.events("state-unreadable")[0]?.["reason"], "state-file-malformed");
    const received = await agent.untilCount("certificate-received", 1);
    assert.notEqual(received["serial"], serial);
  });
}

test("reports a stored state that was cut short, and asks for a new certificate", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "state", "workload.json");
  await live(directory.path);
  writeFileSync(path, readFileSync(path, "utf8").slice(0, 100));
  await using agent = await start(directory.path);
  assert.equal(agent.events("state-unreadable")[0]?.["reason"], "state-file-malformed");
  await agent.untilCount("certificate-received", 1);
});

test("takes neither state nor reply of another trust domain than it was told", async () => {
  using directory = temporaryDirectory();
  await live(directory.path);
  await using agent = await start(directory.path, { trustDomain: TrustDomain.parse("other.test") });
  assert.equal(agent.events("state-unreadable").length, 1);
  const { reason } = await agent.untilCount("renewal-failed", 1);
  assert.equal(reason, "reply-foreign-identity");
  using client = new SdsClient(agent.socketPath);
  using stream = client.sotw();
  stream.subscribe("default", "ROOTCA");
  await stream.assertSilent();
});

test("removes what an earlier life has left in the middle of a write, and that alone", async () => {
  using directory = temporaryDirectory();
  await live(directory.path);
  const inState = (name: string): string => join(directory.path, "state", name);
  const remains = [".workload.json.0123456789abcdef.tmp", ".agent-id.fedcba9876543210.tmp"];
  for (const name of [...remains, ".mine.tmp"]) writeFileSync(inState(name), "a key");
  await using _ = await start(directory.path);
  assert.deepEqual(
    [...remains, ".mine.tmp"].filter((name) => existsSync(inState(name))),
    [".mine.tmp"],
  );
});

for (const file of ["", "workload.json", "agent-id"]) {
  test(`refuses to start when ${file || "the state directory"} is open to others`, async () => {
    using directory = temporaryDirectory();
    await live(directory.path);
    chmodSync(join(directory.path, "state", file), file === "" ? 0o755 : 0o644);
    await assertRefused(
      start(directory.path),
      (error) => error instanceof PrivateFileError && error.code === "file-mode",
    );
  });
}

test("takes a new name where the stored one is none", async () => {
  using directory = temporaryDirectory();
  await live(directory.path);
  const path = join(directory.path, "state", "agent-id");
  writeFileSync(path, "mine\n");
  await using _ = await start(directory.path);
  assert.match(readFileSync(path, "utf8"), /^[0-9a-f-]{36}$/);
});

test("takes the place of a socket that a killed agent left", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "sds.sock");
  const program = `require("node:net").createServer().listen(process.argv[1])`;
  const killed = spawn(process.execPath, ["-e", program, path], { stdio: "ignore" });
  while (!existsSync(path)) await new Promise((resolve) => setTimeout(resolve, 5));
  killed.kill("SIGKILL");
  await once(killed, "exit");
  await using agent = await start(directory.path);
  await agent.untilCount("certificate-received", 1);
  using client = new SdsClient(agent.socketPath);
  assert.equal((await client.fetch(["default"])).resources.length, 1);
});

test("gives its socket the mode that it is told", async () => {
  using directory = temporaryDirectory();
  await using agent = await start(directory.path, { sdsSocketMode: 0o600 });
  assert.equal(statSync(agent.socketPath).mode & 0o777, 0o600);
});

test("leaves alone a file that is no socket", async () => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "sds.sock"), "precious");
  await assertRefused(start(directory.path), refusal("socket-path-taken"));
  assert.equal(readFileSync(join(directory.path, "sds.sock"), "utf8"), "precious");
});

test("refuses a socket path that the system would cut", async () => {
  using directory = temporaryDirectory();
  const sdsSocket = join(directory.path, "s".repeat(100));
  await assertRefused(start(directory.path, { sdsSocket }), refusal("socket-path-too-long"));
});

async function assertRefused(
  starting: Promise<TestAgent>,
  isExpected: (error: unknown) => boolean,
): Promise<void> {
  const started = starting.then(async (agent) => agent.stop());
  await assert.rejects(started, isExpected);
}

function refusal(code: string): (error: unknown) => boolean {
  return (error) => error instanceof UnixSocketError && error.code === code;
}

function otherKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
}

test("does not give a workload the stored certificate of another", async () => {
  using directory = temporaryDirectory();
  await live(directory.path);
  const sub = "system:serviceaccount:payments:ledger";
  const payload = Buffer.from(JSON.stringify({ sub })).toString("base64url");
  await using agent = await start(directory.path, { token: `e30.${payload}.e30` });
  assert.equal(agent.events("state-unreadable")[0]?.["reason"], "state-file-foreign");
  assert.equal(agent.events("agent-started")[0]?.["serial"], undefined);
});

test("is alone on its state directory and on its socket, and steals neither", async () => {
  using directory = temporaryDirectory();
  using other = temporaryDirectory();
  await using agent = await start(directory.path);
  const taken = (error: unknown): boolean =>
    error instanceof UnixSocketError && error.code === "socket-path-taken";
  await assert.rejects(start(directory.path, { sdsSocket: join(other.path, "sds") }), taken);
  await assert.rejects(start(other.path, { sdsSocket: agent.socketPath }), taken);
  using client = new SdsClient(agent.socketPath);
  await agent.untilCount("certificate-received", 1);
  assert.equal((await client.fetch(["default"])).resources.length, 1);
});

test("sends no certificate that has expired while the machine slept", async () => {
  using directory = temporaryDirectory();
  let aheadMs = 0;
  await using agent = await start(directory.path, { nowMs: () => Date.now() + aheadMs });
  await agent.untilCount("certificate-received", 1);
  using client = new SdsClient(agent.socketPath);
  await client.fetch(["default"]);
  // No timer fires for it.
  aheadMs = 100 * 86_400_000;
  await assert.rejects(client.fetch(["default"]), { code: status.UNAVAILABLE });
  assert.equal((await client.fetch(["ROOTCA"])).resources.length, 1);
});

test("serves a certificate that it cannot store, and says so", async () => {
  using directory = temporaryDirectory();
  await using agent = await start(directory.path, { token: "unsent token" });
  rmSync(join(directory.path, "state"), { recursive: true });
  writeFileSync(join(directory.path, "token"), "token-1");
  await agent.untilCount("certificate-received", 1);
  assert.equal(agent.events("state-not-written").length, 1);
  using client = new SdsClient(agent.socketPath);
  assert.equal((await client.fetch(["default"])).resources.length, 1);
});
