import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import type { AgentEvents } from "../../edge/telemetry/agent-events.ts";
import { BundleReaders } from "./bundle-readers.ts";
import type { ReceivedCertificate } from "./workload-set.ts";

const problems: unknown[] = [];
const events = {
  stateUnreadable: (error: unknown) => problems.push(error),
  stateNotWritten: (error: unknown) => problems.push(error),
} as unknown as AgentEvents;

const given = (lifeMs: number): ReceivedCertificate =>
  ({ certificate: { notAfterMs: lifeMs }, receivedAtMs: 0 }) as unknown as ReceivedCertificate;

async function openReaders(stateDir: string, clock: { nowMs: number }) {
  let changes = 0;
  const nowMs = (): number => clock.nowMs;
  const readers = await BundleReaders.open({ stateDir, events, nowMs, onChange: () => changes++ });
  return { readers, changes: () => changes };
}

test("counts who has left for the longest life that was seen, and forgets them then", async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: 1_000 };
  const { readers, changes } = await openReaders(directory.path, clock);
  using _ = readers;
  const reader = readers.listen();
  reader.took(given(60_000));
  assert.deepEqual([readers.unobserved, changes()], [0, 0]);
  reader.left();
  readers.fetched(given(10));
  assert.deepEqual([readers.unobserved, changes()], [2, 2]);
  clock.nowMs = 60_999;
  assert.equal(readers.unobserved, 2);
  clock.nowMs = 61_000;
  assert.equal(readers.unobserved, 0);
  await readers.settled();
});

test("counts nobody who was given nothing", async () => {
  using directory = temporaryDirectory();
  const { readers } = await openReaders(directory.path, { nowMs: 1_000 });
  using _ = readers;
  readers.listen().left();
  assert.equal(readers.unobserved, 0);
});

test("knows after a kill who was listening, and at most so many who left", async () => {
  using directory = temporaryDirectory();
  const clock = { nowMs: 1_000 };
  {
    const { readers } = await openReaders(directory.path, clock);
    using _ = readers;
    readers.listen().took(given(60_000));
    await readers.settled();
  }
  const { readers } = await openReaders(directory.path, clock);
  using _ = readers;
  assert.equal(readers.unobserved, 1);
  for (let count = 0; count < 100; count++) readers.fetched(given(60_000));
  assert.equal(readers.unobserved, 64);
  await readers.settled();
});

test("reports a file that is none, and begins anew", async () => {
  using directory = temporaryDirectory();
  for (const text of ["", "{}", '{"version":1,"untilMs":["x"]}', '{"version":2,"untilMs":[]}']) {
    writeFileSync(join(directory.path, "readers.json"), text, { mode: 0o600 });
    problems.length = 0;
    const { readers } = await openReaders(directory.path, { nowMs: 1_000 });
    assert.deepEqual([readers.unobserved, problems.length], [0, 1]);
    readers[Symbol.dispose]();
  }
});
