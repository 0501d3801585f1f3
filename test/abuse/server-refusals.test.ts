/** Who is denied and who asks too often: in processes, over restarts and over `kill -9`. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { WireConnection } from "../server/grpc-wire.ts";
import { portcullis, startServer } from "../server/portcullis-process.ts";
import {
  dial,
  expectAccounted,
  serverDirectory,
  startDoomedServer,
  takeCertificate,
  takeJwtSvid,
  type Receipts,
  type ServerDirectory,
} from "./server-rig.ts";

const [ok, permissionDenied, resourceExhausted] = [0, 7, 8];
const reason = ["--reason", "its node was broken into"];
const identityOf = (name: string): string => `spiffe://cluster.local/ns/shop/sa/${name}`;

async function verb({ path }: ServerDirectory, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await portcullis([...args, "--data-dir", path]);
  assert.equal(status, ok, stderr);
}

async function expectCodes(
  connection: WireConnection,
  name: string,
  code: number,
  receipts: Receipts,
): Promise<void> {
  for (const take of [takeCertificate, takeJwtSvid]) {
    const reply = await take(connection, name, receipts);
    assert.equal(reply.code, code, `${take.name} for ${name}: ${reply.message}`);
  }
}

/** Of a server that is ended by `signal`, or by what `work` does. */
async function during(
  directory: ServerDirectory,
  signal: "SIGKILL" | "SIGTERM",
  work: (connection: WireConnection) => Promise<void>,
): Promise<void> {
  await using server = await startServer(directory.path, directory.args);
  await using connection = dial(directory, server.endpoints);
  await work(connection);
  server.kill(signal);
  await server.outcome;
}

describe("a denied identity", () => {
  it("gets neither certificate nor JWT-SVID, over restarts and kill -9, until it is let in again", async () => {
    using directory = serverDirectory();
    const receipts: Receipts = new Map();
    await during(directory, "SIGKILL", async (connection) => {
      await expectCodes(connection, "bad", ok, receipts);
      await verb(directory, "deny", "add", identityOf("bad"), ...reason);
      await expectCodes(connection, "bad", permissionDenied, receipts);
    });
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await during(directory, signal, async (connection) => {
        await expectCodes(connection, "bad", permissionDenied, receipts);
        await expectCodes(connection, "good", ok, receipts);
      });
    }
    await during(directory, "SIGKILL", async (connection) => {
      await verb(directory, "deny", "remove", "1", "--reason", "it was set up anew");
      await expectCodes(connection, "bad", ok, receipts);
    });
    await during(directory, "SIGTERM", (connection) =>
      expectCodes(connection, "bad", ok, receipts),
    );
    await expectAccounted(directory.path, receipts);
  });

  it("is denied from the moment when it stands in the log, whatever the operator was told", async () => {
    // Commits of a second start: intent and result of its own certificate, then the denial.
    for (const [killAt, before] of [
      ["log-commit:before:3", ok],
      ["log-commit:after:3", permissionDenied],
    ] as const) {
      using directory = serverDirectory();
      const receipts: Receipts = new Map();
      await during(directory, "SIGTERM", async () => {});
      const { signal } = await startDoomedServer(directory, killAt);
      const denying = ["deny", "add", identityOf("bad"), ...reason, "--data-dir", directory.path];
      const { status } = await portcullis(denying);
      assert.equal(status, 1);
      assert.equal(await signal, "SIGKILL");
      await during(directory, "SIGTERM", async (connection) => {
        await expectCodes(connection, "bad", before, receipts);
        const again = await portcullis(denying);
        // 3 warns of an identity that never had a certificate.
        assert.equal(again.status, before === ok ? 0 : 3);
        await expectCodes(connection, "bad", permissionDenied, receipts);
      });
      await expectAccounted(directory.path, receipts);
    }
  });
});

describe("who asks too often", () => {
  it("is told when to come back, another time than others, and takes nothing from them", async () => {
    using directory = serverDirectory("--identity-rate", "1", "--identity-burst", "2");
    const receipts: Receipts = new Map();
    await during(directory, "SIGTERM", async (connection) => {
      await expectCodes(connection, "eager", ok, receipts);
      const refused = await Promise.all(
        Array.from({ length: 20 }, () => takeCertificate(connection, "eager", receipts)),
      );
      const pushbacks = refused.map(({ code, metadata }) => {
        assert.equal(code, resourceExhausted);
        return Number(metadata["grpc-retry-pushback-ms"]);
      });
      assert.ok(pushbacks.every((ms) => Number.isInteger(ms) && ms > 0));
      assert.equal(new Set(pushbacks).size, pushbacks.length, String(pushbacks));
      const jwt = await takeJwtSvid(connection, "eager", receipts);
      assert.equal(jwt.code, resourceExhausted);
      await expectCodes(connection, "calm", ok, receipts);
    });
    await expectAccounted(directory.path, receipts);
  });

  it("in one namespace is told so, too, whoever it is", async () => {
    using directory = serverDirectory("--namespace-rate", "1", "--namespace-burst", "4");
    const receipts: Receipts = new Map();
    await during(directory, "SIGTERM", async (connection) => {
      for (const name of ["a", "b"]) await expectCodes(connection, name, ok, receipts);
      await expectCodes(connection, "c", resourceExhausted, receipts);
    });
  });
});
