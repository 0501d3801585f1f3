/** What a running server takes over from a changed configuration, and what it does not. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { reloadOnChange } from "../../src/app/server/reload.ts";
import { loadServerConfig, type FlagTexts } from "../../src/edge/config/server-config.ts";
import type { Logger } from "../../src/edge/telemetry/logger.ts";
import {
  eventually,
  mint,
  startControlPlane,
  testConfig,
  TOKEN_KEY,
} from "../support/control-plane.ts";
import { jwksDocument } from "../support/tokens.ts";
import { CODE, dialWire, sign } from "./grpc-wire.ts";

/** Keeps what it is told. */
function recorder(): { readonly log: Logger; readonly events: Record<string, unknown>[] } {
  const events: Record<string, unknown>[] = [];
  const take = (fields: Record<string, unknown>): void => void events.push(fields);
  return { log: { info: take, warn: take, error: take } as unknown as Logger, events };
}

test("takes over what it can at SIGHUP, and names what waits for a restart", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const { log, events } = recorder();
  let flags: FlagTexts = {};
  const loadConfig = async () => testConfig(it.config.dataDir, flags);
  using _ = reloadOnChange(it.controlPlane, {
    configFile: undefined,
    caDir: undefined,
    loadConfig,
    log,
    nowMs: Date.now,
  });
  const hangUp = async (next: FlagTexts) => {
    const seen = events.length;
    flags = next;
    process.emit("SIGHUP");
    await eventually(() => events.length > seen);
    return events.slice(seen);
  };

  assert.equal((await sign(connection, { message: { validityDuration: 7_200n } })).code, CODE.ok);
  assert.deepEqual(await hangUp({ "default-ttl": "1h", "max-ttl": "1h", audience: "mesh" }), [
    {
      event: "reloaded",
      applied: ["tokens.audiences", "certificates.defaultTtl", "certificates.maxTtl"],
      needRestart: [],
    },
  ]);
  const authorization = `Bearer ${mint({ aud: "mesh" })}`;
  const tooLong = { authorization, message: { validityDuration: 7_200n } };
  assert.equal((await sign(connection)).code, CODE.unauthenticated);
  assert.equal((await sign(connection, { authorization })).code, CODE.ok);
  assert.equal((await sign(connection, tooLong)).code, CODE.invalidArgument);

  assert.deepEqual(await hangUp(flags), [{ event: "configuration-unchanged" }]);
  const [reloaded, restart] = await hangUp({ listen: "127.0.0.1:1", "log-level": "error" });
  assert.deepEqual(reloaded?.["needRestart"], ["listen"]);
  assert.deepEqual(restart, { event: "restart-needed", needRestart: ["listen"] });
  const lines = it.log.length;
  assert.equal((await sign(connection)).code, CODE.ok);
  assert.equal(it.log.length, lines);
});

test("keeps the old configuration when the new one is wrong in any part", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const { log, events } = recorder();
  const configFile = join(it.config.dataDir, "server.yaml");
  const file = (more: string): void => {
    const jwks = JSON.stringify(it.jwksPath);
    const tokens = `tokens: { issuer: ${it.config.tokenIssuer}, jwks: ${jwks} }`;
    writeFileSync(configFile, `dataDir: ${it.config.dataDir}\n${tokens}\n${more}`);
  };
  file("");
  const loadConfig = () => loadServerConfig({ flags: {}, configFile });
  const options = { configFile, caDir: undefined, loadConfig, log, nowMs: Date.now };
  using _ = reloadOnChange(it.controlPlane, options);
  const maxTtl = 'certificates: { maxTtl: "1h", defaultTtl: "1h" }\n';
  const wrong = [
    ["certificates: { maxTtl: soon }", "config-invalid-value"],
    ["certificates: { maxTtl: 1h, color: red }", "config-unknown-key"],
    [": [", "config-"],
  ] as const;
  for (const [text, code] of wrong) {
    file(text);
    const seen = events.length;
    process.emit("SIGHUP");
    await eventually(() => events.length > seen);
    const { event, reason } = events.at(-1) ?? {};
    assert.equal(event, "reload-refused");
    assert.ok(String(reason).startsWith(code), String(reason));
  }
  // Right in itself, but its keys cannot be read: then its life times do not count, either.
  file(maxTtl);
  const away = testConfig(it.config.dataDir, {
    jwks: "/no/such/file",
    "max-ttl": "1h",
    "default-ttl": "1h",
  });
  await assert.rejects(it.controlPlane.reload(away), { name: "JwksError" });
  const long = { message: { validityDuration: 86_400n } };
  assert.equal((await sign(connection, long)).code, CODE.ok);
  // The file itself is looked at, too.
  await eventually(async () => (await sign(connection, long)).code === CODE.invalidArgument);
  assert.ok(events.some(({ event }) => event === "reloaded"));
});

test("lets the cluster's workloads go and come at a reload, and says when only join tokens are left", async () => {
  await using it = await startControlPlane();
  await using connection = dialWire(it);
  const said = (name: string) => it.log.filter(({ event }) => event === name);
  const methods = () => said("authentication").at(-1)?.["methods"];
  assert.deepEqual(methods(), ["jwt", "join-token"]);

  const without = { ...it.config, tokenIssuer: undefined, jwks: undefined };
  const { apply } = await it.controlPlane.reload(without);
  assert.deepEqual(apply, ["tokens.issuer", "tokens.jwks"]);
  assert.equal((await sign(connection)).code, CODE.unauthenticated);
  assert.deepEqual(methods(), ["join-token"]);
  assert.equal(said("join-tokens-only").length, 1);

  await it.controlPlane.reload(it.config);
  assert.equal((await sign(connection)).code, CODE.ok);
  assert.deepEqual(methods(), ["jwt", "join-token"]);
  assert.equal(said("join-tokens-only").length, 1);
});

test("tries a configuration again that was refused, and says so once", async () => {
  await using it = await startControlPlane();
  const { log, events } = recorder();
  const jwks = join(it.config.dataDir, "later.json");
  const loadConfig = async () => testConfig(it.config.dataDir, { jwks });
  const times = { pollMs: 50, quietMs: { configuration: 50, ca: 50 }, retryMs: 100 };
  const options = { configFile: undefined, caDir: undefined, loadConfig, log, nowMs: Date.now };
  using _ = reloadOnChange(it.controlPlane, { ...options, times });
  process.emit("SIGHUP");
  await eventually(() => it.controlPlane.reloads.refusals.all.length === 1);
  await setTimeout(4 * times.retryMs);
  assert.deepEqual(
    events.map(({ event, part }) => [event, part]),
    [["reload-refused", "configuration"]],
  );
  writeFileSync(jwks, jwksDocument(TOKEN_KEY));
  await eventually(() => events.some(({ event }) => event === "reloaded"));
  assert.deepEqual(it.controlPlane.reloads.refusals.all, []);
});
