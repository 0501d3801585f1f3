/** Servers to be killed, clients that keep what they were given, and the log that must account for all of it. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { IntentEntry, ResultEntry } from "../../src/core/log/entry.ts";
import { waitForEndpoints, type Endpoints } from "../../src/edge/config/endpoints.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import {
  MintJwtSvidRequestSchema,
  MintJwtSvidResponseSchema,
} from "../../src/gen/portcullis/mesh/v1/mesh_pb.ts";
import {
  CODE,
  dialWire,
  frame,
  sign,
  type WireConnection,
  type WireReply,
} from "../server/grpc-wire.ts";
import { portcullis } from "../server/portcullis-process.ts";
import { mint, TOKEN_KEY, type TestControlPlane } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, TEST_ISSUER } from "../support/tokens.ts";

const launcher = join(import.meta.dirname, "../../bin/portcullis");
const preload = join(import.meta.dirname, "../log/kill-at-durable.ts");
const startMs = 15_000;

/** What somebody was given: that it was acknowledged makes it the log's debt. */
export interface Received {
  readonly identity: string;
  /** SHA-256 of the certificate (DER) or of the token, in hex. */
  readonly digest: string;
}

/** By serial, in hex without leading zeros. */
export type Receipts = Map<string, Received>;

export interface ServerDirectory extends Disposable {
  readonly path: string;
  readonly args: readonly string[];
}

export function serverDirectory(...flags: readonly string[]): ServerDirectory {
  const temporary = temporaryDirectory();
  const jwks = join(temporary.path, "jwks.json");
  writeFileSync(jwks, jwksDocument(TOKEN_KEY));
  const ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
  const issuer = ["--token-issuer", TEST_ISSUER, "--jwks", jwks, "--log-level", "warn"];
  return {
    path: join(temporary.path, "data"),
    args: ["server", ...ports, ...issuer, ...flags],
    [Symbol.dispose]: () => temporary[Symbol.dispose](),
  };
}

export interface KilledServer {
  /** Undefined when it was killed before it was ready. */
  readonly endpoints: Endpoints | undefined;
  readonly signal: Promise<NodeJS.Signals | null>;
}

/** @param killAt `NAME:before|after:N`: at which durable write of its thread it kills itself */
export async function startDoomedServer(
  { path, args }: ServerDirectory,
  killAt: string,
): Promise<KilledServer> {
  const child = spawn(launcher, [...args, "--data-dir", path], {
    env: { ...process.env, PORTCULLIS_TEST_KILL: killAt, NODE_OPTIONS: `--import=${preload}` },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 2 * startMs,
  });
  const signal = once(child, "exit").then(([, by]): NodeJS.Signals | null => by);
  const giveUp = new AbortController();
  const ready = waitForEndpoints(path, { timeoutMs: startMs, signal: giveUp.signal });
  const endpoints = await Promise.race([
    ready.catch(() => undefined),
    signal.then(() => undefined),
  ]);
  giveUp.abort();
  return { endpoints, signal };
}

export function dial({ path }: ServerDirectory, { ca }: Endpoints): WireConnection {
  const rootPem = readFileSync(join(path, "root-cert.pem"), "utf8");
  return dialWire({ address: ca, rootPem });
}

const tokens = new Map<string, string>();

/** Of `shop/NAME`, good from two hours ago until two hours from now. */
function tokenOf(name: string): string {
  const known = tokens.get(name);
  if (known !== undefined) return known;
  const nowSeconds = Math.floor(Date.now() / 1_000);
  const token = mint({
    iat: nowSeconds - 7_200,
    nbf: nowSeconds - 7_200,
    exp: nowSeconds + 7_200,
    sub: `system:serviceaccount:shop:${name}`,
    "kubernetes.io": {
      namespace: "shop",
      pod: { name: `${name}-6f9c7-x2x4z`, uid: "d2a3a8c2-57b3-4f5f-9a31-4d1b8a3f7a52" },
      serviceaccount: { name, uid: "9b2f6a3e-1111-4c8e-8a48-5a3b3f0b7c9d" },
    },
  });
  tokens.set(name, token);
  return token;
}

/** @returns whether a certificate came */
export async function takeCertificate(
  connection: WireConnection,
  name: string,
  receipts: Receipts,
): Promise<WireReply> {
  const reply = await sign(connection, { authorization: `Bearer ${tokenOf(name)}` });
  if (reply.code !== CODE.ok) return reply;
  const [leaf = ""] = reply.certChain;
  const { serialNumber, raw, subjectAltName = "" } = new X509Certificate(leaf);
  keep(receipts, serialNumber.toLowerCase(), raw, subjectAltName.replace(/^URI:/, ""));
  return reply;
}

/** One after the other, each for an identity of its own. */
export async function takeSome(
  server: Pick<TestControlPlane, "address" | "rootPem">,
  receipts: Receipts,
  count: number,
): Promise<void> {
  await using connection = dialWire(server);
  for (let each = 0; each < count; each++) {
    assert.equal((await takeCertificate(connection, `w-${each}`, receipts)).code, 0);
  }
}

export async function takeJwtSvid(
  connection: WireConnection,
  name: string,
  receipts: Receipts,
): Promise<WireReply> {
  const message = create(MintJwtSvidRequestSchema, { audience: ["db"] });
  const body = frame(toBinary(MintJwtSvidRequestSchema, message));
  const path = "/portcullis.mesh.v1.MeshService/MintJwtSvid";
  const reply = await connection.call(path, body, { authorization: `Bearer ${tokenOf(name)}` });
  if (reply.code !== CODE.ok) return reply;
  const { svid, spiffeId } = fromBinary(
    MintJwtSvidResponseSchema,
    reply.messages[0] ?? new Uint8Array(),
  );
  const [, payload = ""] = svid.split(".");
  const { jti }: { jti: string } = JSON.parse(Buffer.from(payload, "base64url").toString());
  const serial = jti.replaceAll("-", "").replace(/^(?:00)+/, "");
  keep(receipts, serial, Buffer.from(svid), spiffeId);
  return reply;
}

function keep(receipts: Receipts, serial: string, bytes: Uint8Array, identity: string): void {
  assert.ok(!receipts.has(serial), `serial ${serial} was given out twice`);
  receipts.set(serial, { identity, digest: createHash("sha256").update(bytes).digest("hex") });
}

/**
 * Asks for one after the other, `inFlight` at a time, until the server is gone.
 * @returns how many were refused, by code
 */
export async function askUntilGone(
  connection: WireConnection,
  receipts: Receipts,
  inFlight: number,
): Promise<ReadonlyMap<number, number>> {
  const refused = new Map<number, number>();
  const ask = async (worker: number): Promise<void> => {
    for (let turn = 0; !connection.session.closed && !connection.session.destroyed; turn++) {
      const take = (worker + turn) % 8 === 0 ? takeJwtSvid : takeCertificate;
      const reply = await take(connection, `w-${worker}`, receipts).catch(() => undefined);
      if (reply === undefined || reply.code < 0) return;
      if (reply.code !== CODE.ok) refused.set(reply.code, (refused.get(reply.code) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, worker) => ask(worker)));
  return refused;
}

export interface Account {
  readonly intents: ReadonlyMap<string, IntentEntry>;
  readonly results: ReadonlyMap<string, ResultEntry>;
  readonly open: readonly string[];
}

/** All that the log has of what was signed. */
export function accountOf(dataDir: string): Account {
  using reader = LogReader.open(dataDir);
  const intents = new Map<string, IntentEntry>();
  const results = new Map<string, ResultEntry>();
  let lastMs = 0;
  for (const { index, data } of reader.entries(0, reader.head().size)) {
    const entry = decodeEntry(data);
    assert.ok(entry.timeMs >= lastMs, `the log's time goes back at ${index}`);
    lastMs = entry.timeMs;
    if (entry.kind !== "intent" && entry.kind !== "result") continue;
    const serial = Buffer.from(entry.serial).toString("hex");
    const known = entry.kind === "intent" ? intents : results;
    assert.ok(!known.has(serial), `a second ${entry.kind} of ${serial} at ${index}`);
    if (entry.kind === "intent") intents.set(serial, entry);
    else results.set(serial, entry);
  }
  const open = [...intents.keys()].filter((serial) => !results.has(serial));
  return { intents, results, open };
}

/** Whatever anybody was given is there, as it was given; and the audit agrees. */
export async function expectAccounted(dataDir: string, receipts: Receipts): Promise<Account> {
  const account = accountOf(dataDir);
  for (const [serial, { identity, digest }] of receipts) {
    const intent = account.intents.get(serial);
    const result = account.results.get(serial);
    assert.equal(intent?.identity, identity, serial);
    assert.equal(result?.outcome, "signed", serial);
    assert.equal(Buffer.from(result?.certificateDigest ?? []).toString("hex"), digest, serial);
  }
  const { status, stdout, stderr } = await portcullis(["audit", "verify", "--data-dir", dataDir]);
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  return account;
}
