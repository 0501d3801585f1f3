/** What `kill -9` leaves of a server that is asked for certificates, and at the moments that matter most. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { startServer } from "../server/portcullis-process.ts";
import { killWhileAsked } from "./server-kills.ts";
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

/** Commits before the first request: log-started, trust-changed, policy-changed, and the server's own certificate. */
const [intentCommit, resultCommit] = [6, 7];

const moments: readonly (readonly [title: string, killAt: string, outcomes: readonly string[]])[] =
  [
    ["before its intent is durable", `before:${intentCommit}`, []],
    ["between its intent and its signature", `after:${intentCommit}`, ["unknown"]],
    ["between its signature and its result", `before:${resultCommit}`, ["unknown"]],
    ["between its result and the reply", `after:${resultCommit}`, ["signed"]],
  ];

async function lives(directory: ServerDirectory, receipts: Receipts): Promise<void> {
  await using server = await startServer(directory.path, directory.args);
  await using connection = dial(directory, server.endpoints);
  assert.equal((await takeCertificate(connection, "after", receipts)).code, 0);
  server.kill("SIGTERM");
  assert.equal((await server.outcome).status, 0);
}

describe("a server that is killed", () => {
  for (const take of [takeCertificate, takeJwtSvid]) {
    for (const [title, moment, outcomes] of moments) {
      it(`${title} (${take.name}) has given nothing that is not in the log`, async () => {
        using directory = serverDirectory();
        const receipts: Receipts = new Map();
        const { endpoints, signal } = await startDoomedServer(directory, `log-commit:${moment}`);
        assert.ok(endpoints !== undefined, "it ended before it was ready");
        {
          await using connection = dial(directory, endpoints);
          const reply = await take(connection, "cart", receipts).catch(() => undefined);
          assert.notEqual(reply?.code, 0);
        }
        assert.equal(await signal, "SIGKILL");
        assert.equal(receipts.size, 0);
        await lives(directory, receipts);
        const { intents, results, open } = await expectAccounted(directory.path, receipts);
        assert.deepEqual(open, []);
        const ofCart = [...intents].filter(([, { identity }]) => identity.endsWith("/sa/cart"));
        assert.deepEqual(
          ofCart.map(([serial]) => results.get(serial)?.outcome),
          outcomes,
        );
      });
    }
  }

  it("30 times while 8 ask has given nothing that is not in the log", async (test) => {
    const kills = await killWhileAsked(30);
    test.diagnostic(JSON.stringify(kills));
    assert.ok(kills.received > 0);
  });
});
