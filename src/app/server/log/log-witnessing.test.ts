import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, it } from "node:test";
import { pino } from "pino";
import { eventually } from "../../../../test/support/control-plane.ts";
import { sampleEvent, serialOf } from "../../../../test/support/log-entries.ts";
import { addCertificates, logVerifier, openStore } from "../../../../test/support/log-store.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { testMetrics } from "../../../../test/support/witnessed-ca.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import { parseLogProof, type LeafAnswer, type ShownLog } from "../../../edge/rpc/log-messages.ts";
import { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import type { ConnectResponse } from "../../../gen/portcullis/mesh/v1/mesh_pb.ts";
import { LogAlarms } from "./log-alarms.ts";
import { LogLeaves } from "./log-leaves.ts";
import { LogProofs } from "./log-proofs.ts";
import { LogWitnessing, type WitnessStream } from "./log-witnessing.ts";

/** As the sample certificates have them. */
const web = (number: number): string => `spiffe://cluster.local/ns/default/sa/web-${number}`;
const roundMs = 100;

interface Rig extends AsyncDisposable {
  readonly store: LogStore;
  readonly witnessing: LogWitnessing;
  readonly alarms: LogAlarms;
  readonly logged: readonly { readonly event: string }[];
  /** Sizes of what was shown. */
  readonly contradicted: readonly number[];
}

async function open(restores: () => [] = () => []): Promise<Rig> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(temporaryDirectory());
  const store = stack.use(await openStore(path));
  const logged: { event: string }[] = [];
  const contradicted: number[] = [];
  const log = pino({}, { write: (text) => void logged.push(JSON.parse(text)) });
  const events = new MeshEvents(log, testMetrics());
  const { reader, writer } = store;
  const alarms = new LogAlarms({ writer, events, nowMs: Date.now, onProven: () => {} });
  const proofs = new LogProofs({ reader, verifier: logVerifier, restores });
  const isSettled = (): boolean => true;
  const witnessing = stack.use(
    new LogWitnessing({
      proofs,
      leaves: new LogLeaves(reader),
      alarms,
      events,
      onContradiction: (held) => void contradicted.push(held.size),
      isSettled,
      roundMs,
    }),
  );
  const rest = stack.move();
  return {
    store,
    witnessing,
    alarms,
    logged,
    contradicted,
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

interface TestStream extends WitnessStream {
  readonly shown: readonly ShownLog[];
  isSlowNow: boolean;
}

function streamOf(...identities: readonly string[]): TestStream {
  const shown: ShownLog[] = [];
  const stream = {
    reporter: { agentId: "agent", spiffeId: web(0) },
    send: ({ message }: ConnectResponse) => {
      assert.equal(message.case, "logProof");
      shown.push(parseLogProof(message.value));
    },
    shown,
    isSlowNow: false,
    isSlow: () => stream.isSlowNow,
    speaksFor: (identity: string) => identities.includes(identity),
  };
  return stream;
}

function answersOf({ shown }: TestStream): readonly LeafAnswer[] {
  return shown.flatMap(({ answers }) => answers);
}

describe("a server of witnesses", () => {
  it("gives entries to those whom they name, to node agents for their workloads, and to nobody else", async () => {
    await using rig = await open();
    await addCertificates(rig.store, 0, 4);
    const node = streamOf(web(0), web(2));
    rig.witnessing.begin(node, "");
    const unknown = serialOf(99);
    rig.witnessing.ask(node, [0, 1, 2].map(serialOf).concat(unknown));
    await eventually(() => answersOf(node).length === 4);
    assert.deepEqual(
      answersOf(node).map(({ kind }) => kind),
      ["found", "foreign", "found", "missing"],
    );
    assert.deepEqual(Object.keys(answersOf(node)[1] ?? {}).toSorted(), ["kind", "serial"]);
  });

  it("answers much in parts, and passes over what is too much or no serial", async () => {
    await using rig = await open();
    await addCertificates(rig.store, 0, 40);
    const stream = streamOf(...Array.from({ length: 40 }, (_, number) => web(number)));
    rig.witnessing.begin(stream, "");
    const numbers = Array.from({ length: 40 }, (_, number) => number);
    rig.witnessing.ask(stream, [new Uint8Array(), new Uint8Array(21), ...numbers.map(serialOf)]);
    await eventually(() => answersOf(stream).length === 40);
    assert.ok(stream.shown.every(({ answers }) => answers.length <= 16));
    const flood = Array.from({ length: 5_000 }, (_, number) => serialOf(number));
    rig.witnessing.ask(stream, flood);
    rig.witnessing.ask(stream, flood);
    rig.witnessing.end(stream);
    await sleep(2 * roundMs);
    assert.equal(answersOf(stream).length, 40);
  });

  it("shows the log again only when it has grown, and once in a round", async () => {
    await using rig = await open();
    const stream = streamOf();
    rig.witnessing.begin(stream, "");
    await eventually(() => stream.shown.length === 1);
    await sleep(3 * roundMs);
    assert.equal(stream.shown.length, 1);
    for (let at = 0; at < 20; at++) {
      await rig.store.writer.append([sampleEvent()]);
      await sleep(roundMs / 10);
    }
    const shownWhileGrowing = stream.shown.length;
    assert.ok(shownWhileGrowing <= 5, `was shown it ${shownWhileGrowing} times`);
    await eventually(() => lastSizeOf(stream) === rig.store.reader.head().size);
  });

  it("sends nothing more to a stream that does not read, until it does", async () => {
    await using rig = await open();
    await addCertificates(rig.store, 0, 1);
    const stream = streamOf(web(0));
    rig.witnessing.begin(stream, "");
    await eventually(() => stream.shown.length === 1);
    stream.isSlowNow = true;
    rig.witnessing.ask(stream, [serialOf(0)]);
    await rig.store.writer.append([sampleEvent()]);
    await sleep(500);
    assert.equal(stream.shown.length, 1);
    stream.isSlowNow = false;
    await eventually(() => answersOf(stream).length === 1);
  });

  it("shows nothing more to an agent that has another log, and hears only some of its alarms", async () => {
    await using rig = await open();
    const stream = streamOf();
    rig.witnessing.begin(stream, "");
    await eventually(() => stream.shown.length === 1);
    const told = {
      kind: "log-fork",
      message: "why",
      held: "",
      shown: "",
      serial: new Uint8Array(),
    };
    for (let at = 0; at < 100; at++)
      rig.witnessing.takeAlarm(stream, { ...told, kind: "log-fork" });
    assert.equal(rig.logged.filter(({ event }) => event === "log-alarm").length, 8);
    assert.equal(rig.alarms.kept.length, 1);
    await rig.store.writer.append([sampleEvent()]);
    await sleep(3 * roundMs);
    assert.equal(stream.shown.length, 1);
  });

  it("keeps the newest alarms only, and writes one of a kind to the log", async () => {
    await using rig = await open();
    const before = rig.store.reader.head().size;
    const told = {
      message: "\ud800".repeat(1_024),
      held: "h".repeat(4_096),
      shown: "s".repeat(4_096),
    };
    for (let at = 0; at < 300; at++) {
      const reporter = { agentId: `agent-${at}`, spiffeId: web(at) };
      rig.alarms.raise(
        reporter,
        { kind: "log-rollback", ...told, serial: new Uint8Array() },
        false,
      );
    }
    await eventually(() => rig.store.reader.head().size > before);
    assert.equal(rig.alarms.kept.length, 128);
    assert.equal(rig.alarms.kept.at(-1)?.reporter.agentId, "agent-299");
    await rig.store.writer.append([sampleEvent()]);
    assert.equal(rig.store.reader.head().size, before + 2);
    assert.deepEqual(
      rig.logged.filter(({ event }) => event === "log-alarm-not-written"),
      [],
    );
  });

  it("takes a checkpoint that another key has signed, or nobody, for none", async () => {
    await using rig = await open();
    for (const note of ["hello", "x".repeat(100_000)]) {
      const stream = streamOf();
      rig.witnessing.begin(stream, note);
      await eventually(() => stream.shown.length === 1);
      assert.equal(stream.shown[0]?.claim.fromSize, 0);
    }
    assert.equal(rig.witnessing.newestSeen, undefined);
  });

  it("tells of a checkpoint of its key that its log does not go on from, and of none that an agent only speaks of", async () => {
    await using other = await open();
    await addCertificates(other.store, 0, 4);
    const { checkpoint: held, size } = other.store.reader.head();
    await using rig = await open();
    await addCertificates(rig.store, 0, 2);
    const [says, shows] = [streamOf(), streamOf()];
    rig.witnessing.begin(says, "");
    await eventually(() => says.shown.length === 1);
    const told = { kind: "log-fork", message: "", held, shown: "", serial: new Uint8Array() };
    rig.witnessing.takeAlarm(says, { ...told, kind: "log-fork" });
    rig.witnessing.begin(shows, held);
    await eventually(() => rig.contradicted.length > 0);
    assert.deepEqual(rig.contradicted, [size]);
  });

  it("says that it cannot show a log that it cannot read, and goes on", async () => {
    let isBroken = true;
    await using rig = await open(() => {
      if (isBroken) throw new RangeError("scripted");
      return [];
    });
    const stream = streamOf();
    rig.witnessing.begin(stream, "");
    await eventually(() => rig.logged.some(({ event }) => event === "log-not-shown"));
    assert.equal(stream.shown.length, 0);
    isBroken = false;
    await eventually(() => stream.shown.length === 1);
  });
});

function lastSizeOf({ shown }: TestStream): number {
  return Number(shown.at(-1)?.claim.note.split("\n")[1]);
}
