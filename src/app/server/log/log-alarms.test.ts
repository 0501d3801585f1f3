import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { Entry, EventEntry } from "../../../core/log/entry.ts";
import type { Reporter } from "../../../core/roll/evidence.ts";
import type { ToldAlarm } from "../../../edge/rpc/log-messages.ts";
import { MeshEvents } from "../../../edge/telemetry/mesh-events.ts";
import { pino } from "pino";
import { testMetrics } from "../../../../test/support/witnessed-ca.ts";
import { LogAlarms } from "./log-alarms.ts";

const logNowMs = 1_790_000_000_000;
const keptMax = 128;

interface Rig {
  readonly alarms: LogAlarms;
  readonly written: readonly Entry[];
}

function makeRig(): Rig {
  const written: Entry[] = [];
  const append = async (entries: readonly Entry[]): Promise<{ firstIndex: number }> => {
    return { firstIndex: written.push(...entries) };
  };
  const events = new MeshEvents(pino({ enabled: false }), testMetrics());
  const alarms = new LogAlarms({
    writer: { append },
    events,
    nowMs: () => logNowMs,
    onProven: () => {},
  });
  return { alarms, written };
}

function told(changes: Partial<ToldAlarm> = {}): ToldAlarm {
  const serial = new Uint8Array();
  return { kind: "log-fork", message: "why", held: "", shown: "", serial, ...changes };
}

function reporter(identity: string, agentId: string): Reporter {
  return { spiffeId: `spiffe://cluster.local/ns/shop/sa/${identity}`, agentId };
}

const isProof = ({ detail }: EventEntry): boolean => JSON.parse(detail).proven === true;

describe("alarms of the log", () => {
  it("are dated by the log's time", () => {
    const { alarms, written } = makeRig();
    alarms.raise(reporter("cart", "a"), told(), false);
    assert.deepEqual(
      written.map(({ timeMs }) => timeMs),
      [logNowMs],
    );
  });

  it("are written once of a kind, and a claim keeps no proof of its kind out of the log", () => {
    const { alarms, written } = makeRig();
    for (const isProven of [false, false, true, true]) {
      alarms.raise(reporter("cart", "a"), told({ held: `note ${isProven}` }), isProven);
    }
    const events = written.filter((entry) => entry.kind === "event");
    assert.deepEqual(events.map(isProof), [false, true]);
  });

  it("are written with the note that convicts, also where all that was said is too long", () => {
    const { alarms, written } = makeRig();
    const long = told({ held: "note", shown: "s".repeat(4_000), message: "m".repeat(1_000) });
    alarms.raise(reporter("cart", "a"), long, true);
    const [entry] = written;
    assert.ok(entry?.kind === "event");
    assert.equal(JSON.parse(entry.detail).held, "note");
  });

  it("with a note that is too long keep none with its note out of the log", () => {
    const { alarms, written } = makeRig();
    for (const held of ["h".repeat(5_000), "h".repeat(5_001), "note", "other"]) {
      alarms.raise(reporter("cart", "a"), told({ held }), true);
    }
    const events = written.filter((entry) => entry.kind === "event");
    assert.deepEqual(
      events.map(({ detail }) => JSON.parse(detail).held),
      [undefined, "note"],
    );
  });

  it("of one identity push out no other's, under however many agents' IDs", () => {
    const { alarms } = makeRig();
    alarms.raise(reporter("cart", "a"), told(), false);
    for (let at = 0; at < 1_000; at++) alarms.raise(reporter("evil", `e-${at}`), told(), false);
    assert.equal(alarms.kept.length, 1 + 8);
    assert.equal(alarms.kept[0]?.reporter.agentId, "a");
    assert.equal(alarms.kept.at(-1)?.reporter.agentId, "e-999");
  });

  it("that are proven stay proven when the agent says them, too, and when it says others", () => {
    const { alarms } = makeRig();
    const cart = reporter("cart", "a");
    alarms.raise(cart, told({ held: "note" }), false);
    alarms.raise(cart, told({ held: "note" }), true);
    alarms.raise(cart, told({ held: "note" }), false);
    const verdicts = (): readonly (readonly [string, boolean])[] =>
      alarms.kept.map(({ held, isProven }) => [held, isProven]);
    assert.deepEqual(verdicts(), [["note", true]]);
    alarms.raise(cart, told({ held: "other" }), false);
    assert.deepEqual(verdicts(), [
      ["note", true],
      ["other", false],
    ]);
  });

  it("never push out a proven one while there is a claim, and are bounded", () => {
    const anyAlarm = fc.tuple(fc.nat(40), fc.nat(20), fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.array(anyAlarm, { minLength: 150, maxLength: 400 }), (steps) => {
        const { alarms } = makeRig();
        const proven = new Set<string>();
        for (const [identity, agent, chance] of steps) {
          const isProven = chance === 0;
          const from = reporter(`${identity}`, `${agent}`);
          alarms.raise(from, told({ held: isProven ? "p" : "c" }), isProven);
          if (isProven) proven.add(`${identity} ${agent}`);
          const kept = alarms.kept.filter((each) => each.isProven).length;
          assert.ok(alarms.kept.length <= keptMax);
          assert.equal(kept, Math.min(proven.size, keptMax));
        }
      }),
      { numRuns: 30 },
    );
  });
});
