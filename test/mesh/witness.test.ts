/** Agents as witnesses of the log: the real agent, stream, log and proofs, and a log that is set back behind their backs. */

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { decodeEntry } from "../../src/core/log/entry-codec.ts";
import type { EventEntry } from "../../src/core/log/entry.ts";
import { encodeRestored } from "../../src/core/log/restored.ts";
import { TestAgent } from "../support/agent.ts";
import { eventually } from "../support/control-plane.ts";
import { sampleEvent } from "../support/log-entries.ts";
import { openStore } from "../support/log-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { WITNESS_ID, WitnessedCa, type WitnessedCaOptions } from "../support/witnessed-ca.ts";

/** A control plane with some log, and room for an agent. */
class Scene implements AsyncDisposable {
  readonly ca: WitnessedCa;
  /** Of the log when it was set back. */
  restoredSize = 0;
  readonly #directory = temporaryDirectory();
  #agent: TestAgent | undefined;

  private constructor(ca: WitnessedCa) {
    this.ca = ca;
    mkdirSync(this.agentDirectory);
  }

  static async start(options: WitnessedCaOptions = {}): Promise<Scene> {
    const scene = new Scene(await WitnessedCa.create());
    await scene.ca.start(scene.dataDir, options);
    await scene.grow(3);
    return scene;
  }

  get dataDir(): string {
    return join(this.#directory.path, "server");
  }

  get agentDirectory(): string {
    return join(this.#directory.path, "agent");
  }

  get agent(): TestAgent {
    return this.#agent ?? assert.fail("there is no agent");
  }

  get witnessFile(): string {
    return join(this.agentDirectory, "state", "witness.json");
  }

  /** By what is on disk. */
  get heldSize(): number {
    return Number(JSON.parse(readFileSync(this.witnessFile, "utf8")).note.split("\n")[1]);
  }

  get size(): number {
    return this.ca.running.store.reader.head().size;
  }

  async startAgent(): Promise<TestAgent> {
    await this.#agent?.stop();
    const { address: server, rootPem: serverRoot } = this.ca;
    this.#agent = await TestAgent.start({ directory: this.agentDirectory, server, serverRoot });
    return this.#agent;
  }

  async grow(count: number): Promise<void> {
    await this.ca.running.store.writer.append(eventsOf(count));
  }

  /** As a snapshot of the machine's disk would be taken. */
  async snapshot(): Promise<string> {
    await this.ca.stop();
    const copy = join(this.#directory.path, "snapshot");
    cpSync(this.dataDir, copy, { recursive: true });
    await this.ca.start(this.dataDir);
    return copy;
  }

  async setBack(copy: string, options: WitnessedCaOptions & { readonly grow?: number } = {}) {
    await this.ca.stop();
    rmSync(this.dataDir, { recursive: true });
    cpSync(copy, this.dataDir, { recursive: true });
    const { grow = 0, ...rest } = options;
    if (grow > 0) {
      await using store = await openStore(this.dataDir);
      await store.writer.append(eventsOf(grow));
    }
    await this.ca.start(this.dataDir, rest);
    this.restoredSize = this.size;
  }

  /** @param newest checkpoint that is known of what was lost */
  async recordRestore(newest: string): Promise<{ readonly from: number; readonly to: number }> {
    const { reader, writer } = this.ca.running.store;
    const [from, to] = [this.restoredSize, Number(newest.split("\n")[1])];
    const range = { from, to, checkpoint: newest, possibleUntilMs: Date.now() };
    const detail = encodeRestored(range);
    const event = sampleEvent({ type: "restored", timeMs: Date.now(), detail });
    const { firstIndex: index } = await writer.append([event]);
    this.ca.restores.push({ index, data: reader.entry(index) ?? assert.fail() });
    return range;
  }

  /** The events that the log has of a type. */
  entries(type: EventEntry["type"]): EventEntry[] {
    return [...this.ca.running.store.reader.entries(0, 10_000)].flatMap(({ data }) => {
      const entry = decodeEntry(data);
      return entry.kind === "event" && entry.type === type ? [entry] : [];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.stop();
    await this.ca[Symbol.asyncDispose]();
    this.#directory[Symbol.dispose]();
  }
}

function eventsOf(count: number): EventEntry[] {
  return Array.from({ length: count }, () => sampleEvent({ timeMs: Date.now() }));
}

const alarmEvents = [
  "log-rollback",
  "log-fork",
  "log-key-changed",
  "log-leaf-missing",
  "log-invalid",
];

function alarmsOf(agent: TestAgent): readonly unknown[] {
  return alarmEvents.flatMap((kind) => agent.events(kind)).map(({ event }) => event);
}

/** A scene that has been set back after the agent had seen more. */
async function setBackScene(grow?: number): Promise<Scene> {
  const scene = await Scene.start();
  const copy = await scene.snapshot();
  const agent = await scene.startAgent();
  await agent.untilCount("log-leaf-found", 1);
  await scene.grow(5);
  await eventually(() => scene.heldSize === scene.size);
  await scene.setBack(copy, grow === undefined ? {} : { grow });
  return scene;
}

describe("an agent", () => {
  it("pins the log at first contact, finds its certificate in it, and follows as it grows", async () => {
    await using scene = await Scene.start();
    const agent = await scene.startAgent();
    const pinned = await agent.untilCount("log-pinned", 1);
    assert.match(String(pinned["verifierKey"]), /^cluster\.local\/portcullis\/log\+/);
    const found = await agent.untilCount("log-leaf-found", 1);
    assert.equal(found["spiffeId"], WITNESS_ID);
    await scene.grow(300);
    await eventually(() => scene.heldSize === scene.size);
    assert.equal(statSync(scene.witnessFile).mode & 0o777, 0o600);
    await scene.ca.stop();
    await scene.ca.start(scene.dataDir);
    await agent.untilCount("mesh-connected", 2);
    await scene.grow(1);
    await eventually(() => scene.heldSize === scene.size);
    await scene.startAgent();
    await scene.agent.untilCount("log-leaf-found", 1);
    assert.equal(scene.agent.events("log-pinned").length, 0);
    assert.deepEqual([...alarmsOf(agent), ...alarmsOf(scene.agent)], []);
    assert.deepEqual(scene.ca.running.alarms.kept, []);
  });

  it("finds out that the server was set back, and so does the server", async () => {
    await using scene = await setBackScene();
    const { agent, ca } = scene;
    const held = scene.heldSize;
    const alarm = await agent.untilCount("log-rollback", 1);
    assert.match(String(alarm["detail"]), new RegExp(`had ${held}$`));
    await eventually(() => ca.logged("log-alarm").some(({ by }) => by === "agent"));
    await eventually(() => scene.entries("alarm").length > 0);
    assert.equal(scene.heldSize, held);
    const [kept, ...others] = ca.running.alarms.kept;
    assert.equal(others.length, 0);
    assert.deepEqual(
      [kept?.kind, kept?.isProven, kept?.reporter.spiffeId],
      ["log-rollback", true, WITNESS_ID],
    );
    const [entry] = scene.entries("alarm");
    assert.deepEqual([entry?.subject, entry?.reason], [WITNESS_ID, "log-rollback"]);
    assert.equal(JSON.parse(entry?.detail ?? "").held, kept?.held);
    const text = await ca.running.metrics.registry.metrics();
    assert.match(text, /portcullis_log_alarms_total\{kind="log-rollback",by="server"\} 1/);
    assert.match(text, /portcullis_log_alarms_total\{kind="log-rollback",by="agent"\} 1/);
  });

  it("finds it out when the log has grown beyond its checkpoint meanwhile", async () => {
    await using scene = await setBackScene(40);
    const { agent, ca } = scene;
    const held = scene.heldSize;
    await agent.untilCount("log-fork", 1);
    await eventually(() => ca.logged("log-alarm").some(({ by }) => by === "agent"));
    assert.equal(ca.running.alarms.kept[0]?.isProven, true);
    assert.equal(scene.heldSize, held);
  });

  it("goes on serving, remembers over a restart, and says it once on a stream", async () => {
    await using scene = await setBackScene();
    const first = scene.agent;
    await first.untilCount("log-rollback", 1);
    await scene.grow(1);
    const agent = await scene.startAgent();
    await agent.untilCount("log-rollback", 1);
    await scene.grow(1);
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.deepEqual(alarmsOf(agent), ["log-rollback"]);
    assert.equal(agent.events("certificate-expired").length, 0);
    assert.equal(agent.events("mesh-lost").length, 0);
  });

  it("misses its certificate in a log that does not have it", async () => {
    await using scene = await Scene.start();
    const agent = await scene.startAgent();
    await agent.untilCount("log-leaf-found", 1);
    await agent.stop();
    scene.ca.logs = "not at all";
    rmSync(join(scene.agentDirectory, "state", "workload.json"));
    const next = await scene.startAgent();
    const alarm = await next.untilCount("log-leaf-missing", 1);
    assert.match(String(alarm["detail"]), /the log does not have it/);
    await eventually(() => scene.entries("alarm").length > 0);
    const [kept] = scene.ca.running.alarms.kept;
    assert.deepEqual([kept?.kind, kept?.isProven], ["log-leaf-missing", false]);
  });

  it("does not take another certificate's result for its own", async () => {
    await using scene = await Scene.start();
    scene.ca.logs = "otherwise";
    const agent = await scene.startAgent();
    const alarm = await agent.untilCount("log-leaf-missing", 1);
    assert.match(String(alarm["detail"]), /another certificate/);
  });

  it("only mentions a certificate that is older than its knowledge of the log", async () => {
    await using scene = await Scene.start();
    scene.ca.logs = "not at all";
    const agent = await scene.startAgent();
    await agent.untilCount("log-leaf-unknown", 1);
    assert.deepEqual(alarmsOf(agent), []);
  });

  it("does not follow a log with another key", async () => {
    await using scene = await Scene.start();
    const agent = await scene.startAgent();
    await agent.untilCount("log-pinned", 1);
    await scene.ca.stop();
    rmSync(scene.dataDir, { recursive: true });
    const { privateKey: signingKey } = generateKeyPairSync("ed25519");
    await scene.ca.start(scene.dataDir, { signingKey });
    await agent.untilCount("log-key-changed", 1);
    await eventually(() => scene.ca.logged("log-alarm").length > 0);
    assert.equal(scene.ca.running.alarms.kept[0]?.isProven, false);
  });

  it("begins anew, and says so, when its stored checkpoint is damaged", async () => {
    await using scene = await Scene.start();
    const agent = await scene.startAgent();
    await agent.untilCount("log-pinned", 1);
    await agent.stop();
    writeFileSync(scene.witnessFile, readFileSync(scene.witnessFile, "utf8").replace("— ", "- "));
    const next = await scene.startAgent();
    await next.untilCount("log-pinned", 1);
    assert.equal(next.events("state-unreadable").length, 1);
  });
});

describe("after a restore", () => {
  it("agents wait until it is recorded, accept it with a warning, and follow again", async () => {
    await using scene = await Scene.start();
    const copy = await scene.snapshot();
    const agent = await scene.startAgent();
    await agent.untilCount("log-leaf-found", 1);
    await scene.grow(5);
    await eventually(() => scene.heldSize === scene.size);
    let isSettled = false;
    await scene.setBack(copy, { isSettled: () => isSettled });
    const { ca } = scene;
    const { witnessing } = ca.running;
    const newest = await eventually(() => witnessing.newestSeen);
    const { from, to } = await scene.recordRestore(newest.note);
    isSettled = true;
    witnessing.settled();
    const restored = await agent.untilCount("log-restored", 1);
    assert.deepEqual([restored["from"], restored["to"]], [from, to]);
    await scene.grow(2);
    await eventually(() => scene.heldSize === scene.size);
    assert.deepEqual([...alarmsOf(agent), ...ca.logged("log-alarm")], []);
    // Its certificate is among what was lost.
    await scene.startAgent();
    await scene.agent.untilCount("log-leaf-unknown", 1);
    // The same snapshot once more, without a word.
    await scene.setBack(copy);
    ca.restores.length = 0;
    await scene.agent.untilCount("log-rollback", 1);
  });
});

describe("an alarm", () => {
  it("is settled by an operator while agents are connected", async () => {
    await using scene = await setBackScene();
    const { agent, ca } = scene;
    const { held } = await agent.untilCount("log-rollback", 1);
    await eventually(() => ca.logged("log-alarm").some(({ by }) => by === "agent"));
    await scene.recordRestore(String(held));
    ca.running.witnessing.settled();
    await agent.untilCount("log-restored", 1);
    await scene.grow(2);
    await eventually(() => scene.heldSize === scene.size);
    assert.deepEqual(alarmsOf(agent), ["log-rollback"]);
    assert.equal(agent.events("mesh-connected").length, 2);
  });
});

describe("with somebody who knows no log", () => {
  it("an agent works as ever with an old server", async () => {
    await using scene = await Scene.start({ hasLog: false });
    const agent = await scene.startAgent();
    await agent.untilCount("mesh-connected", 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.deepEqual([agent.events("log-pinned"), agent.events("mesh-lost")], [[], []]);
  });
});
