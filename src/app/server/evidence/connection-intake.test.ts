import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import { coverageOf, HOUR_MS, seenOf } from "../../../../test/support/evidence.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import type { ConnectionReport, ProxyConnections } from "../../../core/evidence/connection.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import { EvidenceStoreError } from "../../../edge/evidence/evidence-error.ts";
import { EvidenceStore } from "../../../edge/evidence/evidence-store.ts";
import {
  parseCollectConnections,
  parseConnectionAck,
  type ConnectionAck,
} from "../../../edge/rpc/connection-messages.ts";
import { EvidenceEvents } from "../../../edge/telemetry/evidence-events.ts";
import type { ConnectResponse } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import type { Session } from "../mesh/mesh-session.ts";
import { ConnectionIntake } from "./connection-intake.ts";
import { EvidenceMembers } from "./evidence-members.ts";

const now = 1_795_521_600_000;
const idOf = (sa: string): string => `spiffe://mesh.example/ns/shop/sa/${sa}`;
const web = { spiffeId: idOf("web"), agentId: "a" };
const node = { spiffeId: idOf("node"), agentId: "n" };
const runId = "ab".repeat(16);

async function rig(t: TestContext) {
  const directory = temporaryDirectory();
  const none = (): void => {};
  const watch = { onFailed: none, onRecovered: none, onEnded: none, onRefused: none };
  const retentionMs = (): number => 7 * 24 * HOUR_MS;
  const nowMs = (): number => now;
  const { store } = await EvidenceStore.open({
    dataDir: directory.path,
    retentionMs,
    nowMs,
    ...watch,
  });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    directory[Symbol.dispose]();
  });
  const log: { readonly event: string; readonly why?: string }[] = [];
  const registry = new Registry();
  const events = new EvidenceEvents(
    pino({}, { write: (line) => void log.push(JSON.parse(line)) }),
    registry,
    { isWritable: () => store.failure === undefined, waitingSeconds: () => 0 },
  );
  const note: EvidenceStore["note"] = (change) => store.note(change);
  const members = new EvidenceMembers(
    { note, entryOf: () => undefined, onPresence: none, nowMs },
    [],
  );
  const failures: EvidenceStoreError[] = [];
  let written = Promise.resolve();
  const failing: Pick<EvidenceStore, "report" | "failure"> = {
    get failure() {
      return store.failure;
    },
    report: async (change) => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      await written;
      return store.report(change);
    },
  };
  const intake = new ConnectionIntake({ store: failing, members, events, retentionMs, nowMs });
  const metric = async (name: string): Promise<number> => {
    const lines = (await registry.metrics()).split("\n");
    return Number(
      lines.find((line) => line.startsWith(`portcullis_evidence_${name} `))?.split(" ")[1],
    );
  };
  const callers = async () => {
    const asked = { namespace: "shop", selector: new Map(), sinceMs: 0 };
    const found = await store.ask({ kind: "members", ...asked });
    const keys = found.map(({ key }) => key);
    const since = { ports: undefined, sinceMs: 0, isRefusedOnly: false };
    const seen = await store.ask({ kind: "seen", members: keys, ...since });
    const names = new Map(found.map(({ key, name }) => [key, name]));
    return seen.map(({ member, count }) => `${names.get(member)} ${count}`).toSorted();
  };
  /** Until it is resolved nothing is written. */
  const hold = (): PromiseWithResolvers<void> => {
    const held = Promise.withResolvers<void>();
    written = held.promise;
    return held;
  };
  return { intake, store, log, metric, callers, failures, hold };
}

class Stream {
  readonly session: Session;
  readonly acks: ConnectionAck[] = [];
  /** Intervals that it was asked for. */
  readonly asked: number[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(id: string, spokenFor?: { readonly has: (id: string) => boolean }) {
    const write = ({ message }: ConnectResponse): boolean => {
      if (message.case === "collect") {
        this.asked.push(parseCollectConnections(message.value));
        return true;
      }
      assert.ok(message.case === "connectionsAck");
      this.acks.push(parseConnectionAck(message.value));
      this.#waiting.shift()?.();
      return true;
    };
    const call = { write, writable: true };
    this.session = { call, peer: { id: SpiffeId.parse(id) }, spokenFor } as unknown as Session;
  }

  async ack(): Promise<ConnectionAck | undefined> {
    await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    return this.acks.at(-1);
  }
}

function proxyOf(proxyId: string, more: Partial<ProxyConnections> = {}): ProxyConnections {
  const coverage = [coverageOf(now - 1_000, now)];
  return { proxyId, spiffeId: undefined, epochMs: now, seen: [seenOf(now)], coverage, ...more };
}

const reportOf = (sequence: number, ...proxies: readonly ProxyConnections[]): ConnectionReport => {
  return { runId, sequence, proxies };
};

describe("a report of connections", () => {
  it("is acknowledged when it is durable, once for each time that it comes, and counts once", async (t) => {
    const { intake, metric, callers } = await rig(t);
    const stream = new Stream(idOf("web"));
    for (const sequence of [1, 1, 2]) {
      const acked = stream.ack();
      intake.take(stream.session, web, reportOf(sequence, proxyOf("w")));
      assert.equal(stream.acks.length, sequence === 2 ? 2 : stream.acks.length);
      assert.deepEqual(await acked, { runId, sequence, unproven: [] });
    }
    assert.deepEqual(await callers(), ["shop/w 2"]);
    assert.equal(await metric('reports_total{result="counted"}'), 2);
    assert.equal(await metric('reports_total{result="repeated"}'), 1);
    assert.equal(await metric("rows_total"), 4);
  });

  it("before the last one is acknowledged is refused", async (t) => {
    const { intake } = await rig(t);
    const stream = new Stream(idOf("web"));
    const acked = stream.ack();
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    const next = reportOf(2, proxyOf("w"));
    assert.throws(() => intake.take(stream.session, web, next), /after the last one's/);
    await acked;
    intake.take(stream.session, web, next);
    await stream.ack();
  });

  it("that comes again while it is being written is waited for, and answered once", async (t) => {
    const { intake, callers, hold } = await rig(t);
    const stream = new Stream(idOf("web"));
    const report = reportOf(1, proxyOf("w"));
    const held = hold();
    const acked = stream.ack();
    for (let time = 0; time < 3; time++) intake.take(stream.session, web, report);
    held.resolve();
    assert.deepEqual(await acked, { runId, sequence: 1, unproven: [] });
    const next = stream.ack();
    intake.take(stream.session, web, reportOf(2, proxyOf("w")));
    await next;
    assert.deepEqual(
      stream.acks.map(({ sequence }) => sequence),
      [1, 2],
    );
    assert.deepEqual(await callers(), ["shop/w 2"]);
  });

  it("that has crossed with its answer is answered again, and the next one may follow at once", async (t) => {
    const { intake, callers } = await rig(t);
    const stream = new Stream(idOf("web"));
    const acked = stream.ack();
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    await acked;
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    const next = stream.ack();
    intake.take(stream.session, web, reportOf(2, proxyOf("w")));
    await next;
    assert.deepEqual(
      stream.acks.map(({ sequence }) => sequence),
      [1, 1, 2],
    );
    assert.deepEqual(await callers(), ["shop/w 2"]);
  });

  it("that could not be kept is forgotten, and kept when it comes again on the same stream", async (t) => {
    const { intake, callers, failures, log } = await rig(t);
    const stream = new Stream(idOf("web"));
    failures.push(new EvidenceStoreError("evidence-unreadable", "no file could take it"));
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    await tick();
    assert.deepEqual([stream.acks, stream.asked], [[], []]);
    assert.deepEqual(
      log.map(({ event }) => event),
      ["connections-not-kept"],
    );
    const acked = stream.ack();
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    assert.equal((await acked)?.sequence, 1);
    assert.deepEqual(await callers(), ["shop/w 1"]);
  });

  it("for which there was no room is asked for again when another one is kept, four at a time", async (t) => {
    const { intake, failures } = await rig(t);
    const full = Array.from({ length: 6 }, () => new Stream(idOf("web")));
    for (const { session } of full) {
      failures.push(new EvidenceStoreError("evidence-full", "expected fewer reports at once"));
      intake.take(session, web, reportOf(1, proxyOf("w")));
    }
    await tick();
    const asked = (): number[] => full.map((stream) => stream.asked.length);
    assert.deepEqual(asked(), [0, 0, 0, 0, 0, 0]);
    for (const counts of [
      [1, 1, 1, 1, 0, 0],
      [1, 1, 1, 1, 1, 1],
      [1, 1, 1, 1, 1, 1],
    ]) {
      const other = new Stream(idOf("other"));
      const acked = other.ack();
      const reporter = { spiffeId: idOf("other"), agentId: "o" };
      intake.take(other.session, reporter, reportOf(1, proxyOf("o")));
      await acked;
      assert.deepEqual(asked(), counts);
    }
    assert.deepEqual(full[0]?.asked, [10_000]);
  });

  it("of a sidecar's agent about another workload is refused, and nothing of it counts", async (t) => {
    const { intake, callers, store } = await rig(t);
    const stream = new Stream(idOf("web"));
    const other = proxyOf("o", { spiffeId: idOf("other") });
    assert.throws(
      () => intake.take(stream.session, web, reportOf(1, proxyOf("w"), other)),
      /expected connections of .*sa\/web, got .*sa\/other's/,
    );
    assert.deepEqual(await callers(), []);
    const asked = { namespace: "shop", selector: new Map(), sinceMs: 0 };
    assert.deepEqual(await store.ask({ kind: "members", ...asked }), []);
  });

  it("of a node agent counts for whom it speaks for, and says whom it has to tell of again", async (t) => {
    const { intake, callers, metric, log } = await rig(t);
    const proven = new Set([idOf("web")]);
    const stream = new Stream(node.spiffeId, { has: (id) => proven.has(id) });
    const report = reportOf(
      1,
      proxyOf("w", { spiffeId: idOf("web") }),
      proxyOf("o", { spiffeId: idOf("other") }),
      proxyOf("p", { spiffeId: idOf("other") }),
      proxyOf("own"),
    );
    const acked = stream.ack();
    intake.take(stream.session, node, report);
    assert.deepEqual(await acked, { runId, sequence: 1, unproven: [idOf("other")] });
    assert.deepEqual(await callers(), ["shop/own 1", "shop/w 1"]);
    assert.equal(await metric('uncounted_total{reason="unproven"}'), 4);
    assert.deepEqual(
      log.map(({ event, why }) => `${event} ${why}`),
      ["connections-uncounted unproven"],
    );
    // The acknowledgement was lost: what was not kept is not kept now, either, and the agent learns it.
    proven.add(idOf("other"));
    const again = stream.ack();
    intake.take(stream.session, node, report);
    assert.deepEqual((await again)?.unproven, [idOf("other")]);
    assert.deepEqual(await callers(), ["shop/own 1", "shop/w 1"]);
  });

  it("counts what was lost", async (t) => {
    const { intake, metric } = await rig(t);
    const stream = new Stream(idOf("web"));
    const acked = stream.ack();
    const coverage = [coverageOf(now - 5, now, { lostMeshed: 3, lostUnmeshed: 2 })];
    intake.take(stream.session, web, reportOf(1, proxyOf("w", { coverage })));
    await acked;
    assert.equal(await metric('lost_connections_total{kind="meshed"}'), 3);
    assert.equal(await metric('lost_connections_total{kind="unmeshed"}'), 2);
  });

  it("is not acknowledged any more once nothing is recorded, and agents are not asked", async (t) => {
    const { intake, store, log } = await rig(t);
    assert.equal(intake.intervalMs, 10_000);
    await store[Symbol.asyncDispose]();
    const stream = new Stream(idOf("web"));
    intake.take(stream.session, web, reportOf(1, proxyOf("w")));
    await tick();
    assert.deepEqual([stream.acks, intake.intervalMs, log], [[], undefined, []]);
  });
});

describe("an agent", () => {
  it("is asked to tell more often, or as often as all again, once each", async (t) => {
    const { intake, store } = await rig(t);
    const { session, asked } = new Stream(idOf("web"));
    for (const everyMs of [undefined, 1_000, 1_000, undefined, undefined, 2_000]) {
      intake.hurry(session, everyMs);
    }
    assert.deepEqual(asked, [1_000, 10_000, 2_000]);
    await store[Symbol.asyncDispose]();
    intake.hurry(session, 1_000);
    assert.equal(asked.length, 3, "nothing will be recorded");
  });
});

async function tick(): Promise<void> {
  await new Promise((resolve) => void setImmediate(resolve));
}
