import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { ToldEnvoy } from "../../../../test/support/told-envoy.ts";
import type { ConnectionReport } from "../../../core/evidence/connection.ts";
import { ConnectionFeed } from "./connection-feed.ts";
import { ConnectionReporter } from "./connection-reporter.ts";
import { ConnectionReports, type SendConnections } from "./connection-reports.ts";

const runId = "ab".repeat(16);

function rig(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let envoy: ToldEnvoy | undefined;
  const feed = new ConnectionFeed({ nowMs: () => envoy?.nowMs ?? 0, resumed: () => undefined });
  const reporter = new ConnectionReporter({ feed, runId, onAcknowledged: () => {} });
  const reports = new ConnectionReports(reporter, feed);
  const name = { proxyId: "web-0", spiffeId: undefined };
  const open = () => ({ log: feed.log(name), flushes: feed.observe(name) });
  envoy = new ToldEnvoy({ open, nowMs: 1_000_000_000 });
  envoy.flush();
  const sent: ConnectionReport[] = [];
  const send: SendConnections = (report) => void sent.push(report);
  const acknowledge = (): void => {
    const sequence = sent.at(-1)?.sequence ?? 0;
    reports.acknowledged({ runId, sequence, unproven: [] });
  };
  const sequences = (): number[] => sent.map(({ sequence }) => sequence);
  return { envoy, reports, send, acknowledge, sequences, sent, clock: t.mock.timers };
}

test("a report that is not acknowledged is told again after 30 s, as it was", (t) => {
  const { envoy, reports, send, acknowledge, sequences, sent, clock } = rig(t);
  envoy.call("10.0.0.1");
  reports.begin(send, 10_000);
  assert.deepEqual(sequences(), [1]);
  envoy.call("10.0.0.2");
  clock.tick(29_999);
  assert.deepEqual(sequences(), [1], "nobody new is told meanwhile");
  clock.tick(1);
  clock.tick(30_000);
  assert.deepEqual(sequences(), [1, 1, 1]);
  assert.ok(sent.every((report) => report === sent[0]));
  acknowledge();
  clock.tick(100);
  assert.deepEqual(sequences(), [1, 1, 1, 2]);
});

test("a report that is not acknowledged is told again at once where the server asks once more", (t) => {
  const { envoy, reports, send, acknowledge, sequences, clock } = rig(t);
  envoy.call("10.0.0.1");
  reports.begin(send, 10_000);
  reports.begin(send, 10_000);
  assert.deepEqual(sequences(), [1, 1]);
  acknowledge();
  envoy.flushes(4);
  clock.tick(9_999);
  assert.deepEqual(sequences(), [1, 1], "the time for another try is over");
  clock.tick(1);
  assert.deepEqual(sequences(), [1, 1, 2]);
});

test("another interval counts at once, and what there is is told at once", (t) => {
  const { envoy, reports, send, acknowledge, sequences, clock } = rig(t);
  reports.begin(send, 10_000);
  clock.tick(10_000);
  assert.deepEqual(sequences(), [], "there is nothing to tell");
  envoy.call("10.0.0.1");
  envoy.flushes(4);
  clock.tick(100);
  acknowledge();
  envoy.flushes(1);
  reports.begin(send, 1_000);
  acknowledge();
  for (let second = 0; second < 3; second++) {
    envoy.flushes(1);
    clock.tick(1_000);
    acknowledge();
  }
  assert.deepEqual(sequences(), [1, 2, 3, 4, 5]);
  reports.begin(send, 10_000);
  envoy.flushes(1);
  clock.tick(9_999);
  assert.deepEqual(sequences(), [1, 2, 3, 4, 5]);
  clock.tick(1);
  assert.deepEqual(sequences(), [1, 2, 3, 4, 5, 6]);
});

test("nothing is told on a stream that has ended, and all of it on the next one", (t) => {
  const { envoy, reports, send, sequences, clock } = rig(t);
  envoy.call("10.0.0.1");
  reports.begin(send, 10_000);
  reports.end(send, false);
  clock.tick(60_000);
  assert.deepEqual(sequences(), [1]);
  const next: number[] = [];
  reports.begin(({ sequence }) => void next.push(sequence), 10_000);
  assert.deepEqual([sequences(), next], [[1], [1]]);
});

test("an agent that ends tells all that there is first, and waits for the server to have it", async (t) => {
  const { envoy, reports, send, acknowledge, sequences, clock } = rig(t);
  envoy.call("10.0.0.1");
  reports.begin(send, 10_000);
  envoy.call("10.0.0.1");
  envoy.flush();
  let isTold = false;
  const finished = reports.finish(1_000).then(() => (isTold = true));
  assert.deepEqual(sequences(), [1], "one at a time");
  acknowledge();
  assert.deepEqual(sequences(), [1, 2]);
  await Promise.resolve();
  assert.equal(isTold, false);
  acknowledge();
  await finished;
  assert.deepEqual(sequences(), [1, 2]);

  envoy.call("10.0.0.2");
  envoy.flush();
  const late = reports.finish(1_000);
  assert.deepEqual(sequences(), [1, 2, 3]);
  clock.tick(1_000);
  await late;
  const broken = reports.finish(1_000);
  reports.end(send, false);
  await broken;
  await reports.finish(1_000);
});
