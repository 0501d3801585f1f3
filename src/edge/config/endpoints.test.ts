import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import {
  EndpointsError,
  readEndpoints,
  removeEndpoints,
  waitForEndpoints,
  writeEndpoints,
  writeStarting,
  type Endpoints,
  type EndpointsErrorCode,
} from "./endpoints.ts";
import { PrivateFileError } from "./private-files.ts";

const LIVE: Endpoints = {
  pid: process.pid,
  ca: "127.0.0.1:15012",
  admin: "unix:///run/portcullis/admin.sock",
  metrics: "http://127.0.0.1:15014",
};
// A process that has been, and has been waited for.
const DEAD: Endpoints = { ...LIVE, pid: spawnSync("true").pid };

function withCode(code: EndpointsErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof EndpointsError && error.code === code;
}

test("reads back what was written, in a file that is ours alone", async () => {
  using directory = temporaryDirectory();
  await writeEndpoints(directory.path, LIVE);
  assert.deepEqual(await readEndpoints(directory.path), LIVE);
  assert.equal(statSync(join(directory.path, "endpoints.json")).mode & 0o777, 0o600);
  await removeEndpoints(directory.path);
  await assert.rejects(readEndpoints(directory.path), withCode("endpoints-missing"));
});

test("tells a server that is gone from one that never was", async () => {
  using directory = temporaryDirectory();
  await assert.rejects(readEndpoints(`${directory.path}/no`), withCode("endpoints-missing"));
  await writeEndpoints(directory.path, DEAD);
  await assert.rejects(readEndpoints(directory.path), withCode("endpoints-stale"));
});

for (const [name, text] of [
  ["no JSON", "{"],
  ["an array", "[]"],
  ["null", "null"],
  ["no pid", JSON.stringify({ ...LIVE, pid: undefined })],
  // kill(0, 0) and kill(-1, 0) ask about whole groups, and say yes.
  ["pid 0", JSON.stringify({ ...LIVE, pid: 0 })],
  ["pid -1", JSON.stringify({ ...LIVE, pid: -1 })],
  ["pid 1.5", JSON.stringify({ ...LIVE, pid: 1.5 })],
  ["no admin address", JSON.stringify({ ...LIVE, admin: undefined })],
  ["an empty address", JSON.stringify({ ...LIVE, ca: "" })],
  ["a number as address", JSON.stringify({ ...LIVE, metrics: 15014 })],
] as const) {
  test(`refuses a file with ${name}`, async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "endpoints.json"), text, { mode: 0o600 });
    await assert.rejects(readEndpoints(directory.path), withCode("endpoints-malformed"));
  });
}

test("does not follow addresses that others could have written", async () => {
  using directory = temporaryDirectory();
  await writeEndpoints(directory.path, LIVE);
  chmodSync(join(directory.path, "endpoints.json"), 0o666);
  await assert.rejects(readEndpoints(directory.path), PrivateFileError);
});

test("waits past a missing and a stale file until a live server has written", async () => {
  using directory = temporaryDirectory();
  const { signal } = new AbortController();
  const waiting = waitForEndpoints(directory.path, { timeoutMs: 5000, signal });
  await writeEndpoints(directory.path, DEAD);
  await new Promise((resolve) => setTimeout(resolve, 120));
  await writeEndpoints(directory.path, LIVE);
  assert.deepEqual(await waiting, LIVE);
});

test("stops waiting at the timeout, on an abort, and at a malformed file", async () => {
  using directory = temporaryDirectory();
  const controller = new AbortController();
  const { signal } = controller;
  const timedOut = waitForEndpoints(directory.path, { timeoutMs: 80, signal });
  await assert.rejects(timedOut, withCode("endpoints-timeout"));

  const reason = new Error("enough");
  const aborted = waitForEndpoints(directory.path, { timeoutMs: 60_000, signal });
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);

  writeFileSync(join(directory.path, "endpoints.json"), "{", { mode: 0o600 });
  const options = { timeoutMs: 60_000, signal: new AbortController().signal };
  await assert.rejects(waitForEndpoints(directory.path, options), withCode("endpoints-malformed"));
});

test("says of a server whose ports are not open that it is starting, and waits for it", async () => {
  using directory = temporaryDirectory();
  await writeEndpoints(directory.path, DEAD);
  await writeStarting(directory.path);
  await assert.rejects(readEndpoints(directory.path), withCode("endpoints-starting"));
  const { signal } = new AbortController();
  const waiting = waitForEndpoints(directory.path, { timeoutMs: 5000, signal });
  await writeEndpoints(directory.path, LIVE);
  assert.deepEqual(await waiting, LIVE);
});

test("says of a server that ended while it was starting that it is gone", async () => {
  using directory = temporaryDirectory();
  const text = JSON.stringify({ pid: DEAD.pid, starting: true });
  writeFileSync(join(directory.path, "endpoints.json"), text, { mode: 0o600 });
  await assert.rejects(readEndpoints(directory.path), withCode("endpoints-stale"));
});
