/** A server that is killed again and again while it is asked for certificates. */

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { startServer } from "../server/portcullis-process.ts";
import {
  accountOf,
  askUntilGone,
  dial,
  expectAccounted,
  serverDirectory,
  type Receipts,
} from "./server-rig.ts";

const inFlight = 8;
/** Some kills come while the first requests are on their way, some in the middle of many. */
const lifeMsMax = 250;

export interface Kills {
  readonly received: number;
  readonly unknown: number;
  /** From the start of the process to its ports. */
  readonly startMsMax: number;
}

/** @throws AssertionError when something that was given out is not accounted for */
export async function killWhileAsked(times: number): Promise<Kills> {
  using directory = serverDirectory();
  const receipts: Receipts = new Map();
  const refused = new Map<number, number>();
  let startMsMax = 0;
  for (let life = 0; life < times; life++) {
    const startedMs = performance.now();
    await using server = await startServer(directory.path, directory.args);
    startMsMax = Math.max(startMsMax, performance.now() - startedMs);
    await using connection = dial(directory, server.endpoints);
    const asking = askUntilGone(connection, receipts, inFlight);
    await sleep(Math.random() * lifeMsMax);
    server.kill("SIGKILL");
    assert.equal((await server.outcome).signal, "SIGKILL");
    for (const [code, count] of await asking) refused.set(code, (refused.get(code) ?? 0) + count);
  }
  assert.deepEqual([...refused], [], "a server that runs refuses nobody");
  const beforeEnd = accountOf(directory.path).open.length;
  {
    await using server = await startServer(directory.path, directory.args);
    server.kill("SIGTERM");
    assert.equal((await server.outcome).status, 0);
  }
  const { open, results } = await expectAccounted(directory.path, receipts);
  assert.deepEqual(open, []);
  const outcomes = Map.groupBy(results.values(), ({ outcome }) => outcome);
  assert.equal(outcomes.get("failed"), undefined);
  const unknown = outcomes.get("unknown") ?? [];
  assert.ok(unknown.length >= beforeEnd);
  assert.ok(unknown.every(({ reason }) => reason === "server-ended"));
  return { received: receipts.size, unknown: unknown.length, startMsMax };
}
