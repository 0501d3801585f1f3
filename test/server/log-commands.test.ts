/** What operators change stands in the log: identities that are granted, and who may have what from then on. */

import { timestampMs } from "@bufbuild/protobuf/wkt";
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { EventEntry, EventType } from "../../src/core/log/entry.ts";
import { writeMarker } from "../../src/edge/backup/restore-marker-file.ts";
import { LogReader } from "../../src/edge/log/log-reader.ts";
import { createJoinToken } from "../../src/edge/rpc/join-token-client.ts";
import { interceptDurable } from "../../src/edge/store/durable.ts";
import {
  eventually,
  startControlPlane,
  testConfig,
  TOKEN_KEY,
  type TestControlPlane,
} from "../support/control-plane.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { jwksDocument } from "../support/tokens.ts";

const spiffeId = "spiffe://cluster.local/vm/db-1";

function eventsOf(dataDir: string, type: EventType): readonly EventEntry[] {
  using reader = LogReader.open(dataDir);
  const entries = Array.from({ length: reader.head().size }, (_, index) => reader.entry(index));
  return entries
    .flatMap((bytes) => (bytes === undefined ? [] : [decodeEntry(bytes)]))
    .flatMap((entry) => (entry.kind === "event" && entry.type === type ? [entry] : []));
}

const checkpoint = (it: TestControlPlane): Promise<Response> =>
  fetch(`${it.controlPlane.endpoints.metrics}/log/checkpoint`);

describe("the log of a running server", () => {
  let it: TestControlPlane;
  before(async () => {
    it = await startControlPlane();
  });
  after(() => it[Symbol.asyncDispose]());
  const policies = () => eventsOf(it.config.dataDir, "policy-changed");

  test("has each join token before it is given out, and nothing that it can be made of", async () => {
    const { admin } = it.controlPlane.endpoints;
    const { token, expiresAt } = await createJoinToken(admin, { spiffeId, ttlSeconds: 0 });
    const [command, ...more] = eventsOf(it.config.dataDir, "command");
    assert.deepEqual(more, []);
    assert.equal(command?.subject, spiffeId);
    const { joinTokenId, until } = JSON.parse(command.detail) as Record<string, string>;
    assert.equal(until, expiresAt && new Date(timestampMs(expiresAt)).toISOString());
    const created = it.log.find(({ event }) => event === "join-token-created");
    assert.equal(joinTokenId, created?.["joinTokenId"]);
    assert.ok(!JSON.stringify(command).includes(token));
  });

  test("has the settings of the start, each change of them, and no reload that changes nothing", async () => {
    assert.equal(policies().length, 1);
    const { dataDir } = it.config;
    await it.controlPlane.reload(testConfig(dataDir, {}));
    assert.equal(policies().length, 1);
    const { apply } = await it.controlPlane.reload(testConfig(dataDir, { "max-ttl": "48h" }));
    assert.deepEqual(apply, ["certificates.maxTtl"]);
    const [first, second, ...more] = policies();
    assert.deepEqual(more, []);
    assert.notDeepEqual(first?.digest, second?.digest);
    assert.match(second?.detail ?? "", /"maxTtlSeconds":172800/);
  });

  test("keeps the old settings in force where the new ones cannot be recorded", async () => {
    const { dataDir } = it.config;
    await it.controlPlane.reload(testConfig(dataDir, {}));
    interceptDurable((name, write) => {
      if (name === "fact-remember") throw new Error("no room");
      return write();
    });
    const longer = testConfig(dataDir, { "max-ttl": "72h" });
    try {
      await assert.rejects(it.controlPlane.reload(longer), /no room/);
    } finally {
      interceptDurable(undefined);
    }
    const { apply } = await it.controlPlane.reload(longer);
    assert.deepEqual(apply, ["certificates.maxTtl"]);
  });
});

test("a restart writes the settings down only where they have changed", async () => {
  using data = temporaryDirectory();
  const jwks = join(data.path, "keys.json");
  writeFileSync(jwks, jwksDocument(TOKEN_KEY), { mode: 0o600 });
  const restart = async (flags: Record<string, string>): Promise<number> => {
    const all = { "data-dir": data.path, jwks, ...flags };
    await using _ = await startControlPlane({ flags: all });
    return eventsOf(data.path, "policy-changed").length;
  };
  assert.equal(await restart({}), 1);
  assert.equal(await restart({}), 1);
  assert.equal(await restart({ "renew-by-certificate": "true" }), 2);
});

test("a restored log is shown to nobody before it is settled", async () => {
  using data = temporaryDirectory();
  const flags = { "data-dir": data.path };
  let note: string;
  {
    await using it = await startControlPlane({ flags });
    note = await (await checkpoint(it)).text();
  }
  const marker = { restoredAtMs: Date.now(), operator: "alice", backupAtMs: Date.now() };
  await writeMarker(data.path, { ...marker, checkpoint: note, newest: "", longestLifeMs: 0 });
  await using it = await startControlPlane({ flags: { ...flags, "restore-wait": "2s" } });
  assert.equal((await checkpoint(it)).status, 503);
  await eventually(async () => (await checkpoint(it)).status === 200);
});
