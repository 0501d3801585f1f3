/** Servers as processes: what they refuse to start on, how they end, and what a crash leaves. */

import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { DEV_ISSUER } from "../../src/edge/authn/dev-issuer.ts";
import { readEndpoints } from "../../src/edge/config/endpoints.ts";
import { eventually, TOKEN_KEY, mint } from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument, TEST_ISSUER } from "../support/tokens.ts";
import { CODE, CREATE_CERTIFICATE, dialWire, encodeRequest, frame, sign } from "./grpc-wire.ts";
import { WIRE_CSR, type WireConnection } from "./grpc-wire.ts";
import { portcullis, startServer, type ServerProcess } from "./portcullis-process.ts";

const ports = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"];
const dev = ["dev", ...ports];

function dialProcess({ endpoints }: ServerProcess, dataDir: string): WireConnection {
  const rootPem = readFileSync(join(dataDir, "root-cert.pem"), "utf8");
  return dialWire({ address: endpoints.ca, rootPem });
}

describe("beside a dev that runs", () => {
  const temporary = temporaryDirectory();
  const root = temporary.path;
  const directory = join(root, "dev");
  const jwks = join(root, "jwks.json");
  const serve = ["server", ...ports, "--token-issuer", TEST_ISSUER];
  let running: ServerProcess;
  before(async () => {
    writeFileSync(jwks, jwksDocument(TOKEN_KEY));
    running = await startServer(directory, dev);
  });
  after(async () => {
    await running[Symbol.asyncDispose]();
    temporary[Symbol.dispose]();
  });

  const refusals: readonly (readonly [
    title: string,
    args: () => readonly string[],
    status: number,
    said: RegExp,
  ])[] = [
    [
      "a second server on its directory",
      () => [...dev, "--data-dir", directory],
      1,
      /^error: another process uses .*\nhint: stop it first, or choose another --data-dir\n/,
    ],
    [
      "dev on an address that others reach",
      () => ["dev", "--data-dir", join(root, "open"), "--listen", "0.0.0.0:0"],
      2,
      /^error: --listen: expected a loopback address, got 0\.0\.0\.0\nhint: --listen 127\.0\.0\.1:0/,
    ],
    [
      "a server that believes dev's issuer",
      () => [
        "server",
        ...ports,
        "--data-dir",
        join(root, "a"),
        "--token-issuer",
        DEV_ISSUER,
        "--jwks",
        jwks,
      ],
      2,
      /^error: --token-issuer: expected a cluster's token issuer, got that of `portcullis dev`.*\nhint: /,
    ],
    [
      "a server that believes dev's keys",
      () => [...serve, "--data-dir", join(root, "b"), "--jwks", join(directory, "jwks.json")],
      2,
      /^error: --jwks: expected a cluster's token keys, got those of `portcullis dev`.*\nhint: /,
    ],
    [
      "an address that is taken",
      () => ["dev", "--data-dir", join(root, "c"), "--listen", running.endpoints.ca],
      1,
      /^error: cannot listen on 127\.0\.0\.1:\d+: another process does\nhint: is a server running/m,
    ],
  ];
  test("refuses what must not start, with the cause and the next step", async () => {
    await Promise.all(
      refusals.map(async ([title, args, status, said]) => {
        const outcome = await portcullis(args());
        assert.equal(outcome.status, status, title);
        assert.match(outcome.stderr, said, title);
        assert.equal(outcome.stdout, "", title);
      }),
    );
  });

  test("publishes where it is, for its owner only", async () => {
    const path = join(directory, "endpoints.json");
    const endpoints = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    assert.deepEqual(Object.keys(endpoints), ["pid", "ca", "admin", "metrics"]);
    assert.equal(endpoints["pid"], running.pid);
    assert.match(String(endpoints["ca"]), /^127\.0\.0\.1:[1-9]\d*$/);
    assert.equal(endpoints["admin"], `unix://${join(directory, "admin.sock")}`);
    assert.match(String(endpoints["metrics"]), /^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
    const mode = (file: string): number => statSync(join(directory, file)).mode & 0o777;
    assert.deepEqual(
      ["", "endpoints.json", "admin.sock", "portcullis.db", "token-issuer-key.pem"].map(mode),
      [0o700, 0o600, 0o600, 0o600, 0o600],
    );
  });

  test("survives a kill -9 with its root, and says its new addresses", async () => {
    const rootPem = readFileSync(join(directory, "root-cert.pem"), "utf8");
    const old = running.endpoints;
    running.kill("SIGKILL");
    await running.outcome;
    await assert.rejects(readEndpoints(directory), { code: "endpoints-stale" });
    running = await startServer(directory, dev);
    assert.equal(readFileSync(join(directory, "root-cert.pem"), "utf8"), rootPem);
    assert.notEqual(running.endpoints.pid, old.pid);
    await using connection = dialProcess(running, directory);
    assert.equal((await sign(connection)).code, CODE.unauthenticated);
  });

  test("refuses dev's directory to a server, when dev has stopped", async () => {
    running.kill("SIGTERM");
    assert.equal((await running.outcome).status, 0);
    const outcome = await portcullis([...serve, "--data-dir", directory, "--jwks", jwks]);
    assert.equal(outcome.status, 1);
    assert.match(
      outcome.stderr,
      /^error: .* was made by `portcullis dev`\nhint: give `portcullis server`/,
    );
  });
});

describe("told to stop", () => {
  const request = {
    ":method": "POST",
    ":path": CREATE_CERTIFICATE,
    "content-type": "application/grpc",
  };
  const message = frame(encodeRequest({ csr: WIRE_CSR }));

  async function withOpenCall(
    work: (
      running: ServerProcess,
      open: ReturnType<WireConnection["session"]["request"]>,
    ) => Promise<void>,
  ): Promise<void> {
    using temporary = temporaryDirectory();
    const jwks = join(temporary.path, "jwks.json");
    writeFileSync(jwks, jwksDocument(TOKEN_KEY));
    const dataDir = join(temporary.path, "data");
    const args = ["server", ...ports, "--token-issuer", TEST_ISSUER, "--jwks", jwks];
    await using running = await startServer(dataDir, args);
    await using connection = dialProcess(running, dataDir);
    assert.equal((await sign(connection)).code, CODE.ok);
    const open = connection.session.request({ ...request, authorization: `Bearer ${mint()}` });
    open.on("error", () => {});
    open.resume();
    open.write(message.subarray(0, 100));
    await new Promise((resolve) => setTimeout(resolve, 100));
    running.kill("SIGTERM");
    await eventually(() => running.stderr().includes('"event":"draining"'));
    await work(running, open);
  }

  test("finishes the call that is open, and ends with 0", () =>
    withOpenCall(async (running, open) => {
      const status = new Promise((resolve) => {
        open.on("trailers", (headers) => resolve(headers["grpc-status"]));
      });
      open.end(message.subarray(100));
      assert.equal(await status, "0");
      const outcome = await running.outcome;
      assert.deepEqual([outcome.status, outcome.stdout], [0, ""]);
      assert.match(outcome.stderr, /"event":"stopped"/);
      for (const line of outcome.stderr.trim().split("\n")) assert.ok(JSON.parse(line), line);
    }));

  test("ends at once when it is told twice", () =>
    withOpenCall(async (running) => {
      const startMs = performance.now();
      running.kill("SIGTERM");
      assert.equal((await running.outcome).signal, "SIGTERM");
      assert.ok(performance.now() - startMs < 1_000);
    }));
});
