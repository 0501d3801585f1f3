/** On a real store and a real log, which a trigger in its database makes fail. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it, mock } from "node:test";
import { LOG_NOW_MS } from "../../../../test/support/log-entries.ts";
import { openStore } from "../../../../test/support/log-store.ts";
import { eventually } from "../../../../test/support/control-plane.ts";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.ts";
import { decodeEntry } from "../../../core/log/entry-codec.ts";
import type { Entry } from "../../../core/log/entry.ts";
import type { ClockReading, LogClockStatus } from "../../../core/log/log-clock.ts";
import { LogError } from "../../../core/log/log-error.ts";
import { TrustDomain } from "../../../core/spiffe/id.ts";
import { initialTrustState, type TrustState } from "../../../core/trust/trust-state.ts";
import type { LogStore } from "../../../edge/log/log-store.ts";
import { Store } from "../../../edge/store/store.ts";
import { LogKeeper } from "./log-keeper.ts";

const hourMs = 3_600_000;
const startMs = LOG_NOW_MS + hourMs;

const state: TrustState = initialTrustState({
  trustDomain: TrustDomain.parse("cluster.local"),
  authority: {
    id: "ab",
    chain: [],
    root: Uint8Array.of(1),
    key: "store",
    auto: false,
  },
  nowMs: 0,
});

interface Rig extends AsyncDisposable {
  readonly keeper: LogKeeper;
  readonly log: LogStore;
  readonly store: Store;
  readonly statuses: LogClockStatus["kind"][];
  readonly failures: unknown[];
  clock: ClockReading;
  readonly entries: () => readonly Entry[];
}

async function openRig(dataDir: string, clock: ClockReading): Promise<Rig> {
  await using owned = new AsyncDisposableStack();
  const store = owned.use(await Store.open(dataDir, "server"));
  const log = owned.use(await openStore(dataDir));
  const [statuses, failures]: [LogClockStatus["kind"][], unknown[]] = [[], []];
  const times = { clock };
  const keeper = owned.use(
    new LogKeeper({
      log,
      facts: store.facts,
      read: () => times.clock,
      onChange: ({ kind }) => statuses.push(kind),
      onFailed: (error) => failures.push(error),
    }),
  );
  const rest = owned.move();
  return {
    keeper,
    log,
    store,
    statuses,
    failures,
    get clock() {
      return times.clock;
    },
    set clock(next) {
      times.clock = next;
    },
    entries: () => [...log.reader.entries(1, 1_000)].map(({ data }) => decodeEntry(data)),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

const at = (wallMs: number, monotonicMs = 0): ClockReading => ({ wallMs, monotonicMs });

async function withRig(work: (rig: Rig, dataDir: string) => Promise<void>): Promise<void> {
  using directory = temporaryDirectory();
  await using rig = await openRig(directory.path, at(startMs));
  await work(rig, directory.path);
}

/** While it stands, nothing can be appended. */
function breakLog(dataDir: string): Disposable {
  const database = new DatabaseSync(join(dataDir, "log.db"));
  database.exec(
    "CREATE TRIGGER broken BEFORE INSERT ON entries BEGIN SELECT RAISE(FAIL, 'scripted'); END",
  );
  return {
    [Symbol.dispose]: () => {
      database.exec("DROP TRIGGER broken");
      database.close();
    },
  };
}

const minute = { apis: ["setInterval"] } as const;

describe("a keeper of the log", () => {
  it("writes a trust state once, over restarts, and again when it is another one", async () => {
    using directory = temporaryDirectory();
    const other = { ...state, otherRoots: [Uint8Array.of(2)] };
    const denying = { ...other, epoch: 9, denyDigest: new Uint8Array(32).fill(9) };
    for (const states of [[state, state], [state, other], [denying]]) {
      await using rig = await openRig(directory.path, at(startMs));
      for (const each of states) await rig.keeper.trustIs(each);
    }
    await using rig = await openRig(directory.path, at(startMs));
    const events = rig.entries().map((entry) => entry.kind === "event" && entry.type);
    assert.deepEqual(events, ["trust-changed", "trust-changed"]);
  });

  it("does not remember a trust state that could not be written", async () => {
    await withRig(async ({ keeper, store, entries }, dataDir) => {
      {
        using _ = breakLog(dataDir);
        await assert.rejects(keeper.trustIs(state), { code: "log-unwritable" });
      }
      assert.equal(store.facts.recall("log-trust"), undefined);
      await keeper.trustIs(state);
      assert.equal(entries().length, 1);
    });
  });

  it("writes refusals once a minute, and what is left at the end", async () => {
    using directory = temporaryDirectory();
    mock.timers.enable(minute);
    try {
      await using rig = await openRig(directory.path, at(startMs));
      rig.keeper.countRefusal("spiffe://cluster.local/x", "identity-denied", "192.0.2.1");
      rig.keeper.countRefusal("spiffe://cluster.local/x", "identity-denied", "192.0.2.2");
      rig.keeper.countRefusal("", "token-missing", "x".repeat(1_000));
      assert.deepEqual(rig.entries(), []);
      mock.timers.tick(60_000);
      await eventually(() => rig.entries().length === 2);
      const counts = rig.entries().map((entry) => entry.kind === "refusals" && entry.count);
      assert.deepEqual(counts, [2, 1]);
      rig.keeper.countRefusal("", "token-missing", "192.0.2.1");
    } finally {
      mock.timers.reset();
    }
    await using rig = await openRig(directory.path, at(startMs));
    assert.equal(rig.entries().length, 3);
  });

  it("loses no refusal for a log that cannot be written for a while", async () => {
    mock.timers.enable(minute);
    try {
      await withRig(async (rig, dataDir) => {
        {
          using _ = breakLog(dataDir);
          rig.keeper.countRefusal("", "token-missing", "192.0.2.1");
          mock.timers.tick(60_000);
          await eventually(() => rig.failures.length > 0);
          assert.ok(rig.failures[0] instanceof LogError);
        }
        rig.keeper.countRefusal("", "token-missing", "192.0.2.1");
        mock.timers.tick(60_000);
        await eventually(() => rig.entries().length > 0);
        const counts = rig
          .entries()
          .flatMap((entry) =>
            entry.kind === "refusals" && entry.reason === "token-missing" ? [entry.count] : [],
          );
        assert.deepEqual(counts, [1, 1]);
      });
    } finally {
      mock.timers.reset();
    }
  });

  it("finds out by itself that the log can be written again, for a server that nobody asks", async () => {
    mock.timers.enable(minute);
    try {
      await withRig(async ({ keeper, log }, dataDir) => {
        {
          using _ = breakLog(dataDir);
          await assert.rejects(keeper.event({ type: "command" }), LogError);
          mock.timers.tick(60_000);
        }
        assert.ok(log.writer.state.failure !== undefined);
        for (let each = 0; each < 3; each++) mock.timers.tick(60_000);
        await eventually(() => log.writer.state.failure === undefined, 1_000);
      });
    } finally {
      mock.timers.reset();
    }
  });

  it("keeps in portcullis.db how far the log has got, every ten minutes and at the end", async () => {
    using directory = temporaryDirectory();
    mock.timers.enable(minute);
    let last = "";
    try {
      await using rig = await openRig(directory.path, at(startMs));
      const kept = (): string | undefined => rig.store.facts.recall("log-checkpoint");
      await rig.keeper.event({ type: "command" });
      assert.equal(kept(), undefined);
      mock.timers.tick(600_000);
      assert.equal(kept(), rig.log.reader.head().checkpoint);
      await rig.keeper.event({ type: "command" });
      last = rig.log.reader.head().checkpoint;
      assert.notEqual(kept(), last);
    } finally {
      mock.timers.reset();
    }
    await using rig = await openRig(directory.path, at(startMs));
    assert.equal(rig.store.facts.recall("log-checkpoint"), last);
  });
});

describe("a clock that is accepted", () => {
  it("is in the log first, with how far it had jumped, and is good then", async () => {
    await withRig(async (rig) => {
      rig.clock = at(startMs - hourMs);
      assert.throws(() => rig.keeper.time.assertGood(), { code: "log-clock-stopped" });
      assert.equal(await rig.keeper.acceptClock("ann", "looked at it"), -hourMs);
      rig.keeper.time.assertGood();
      assert.deepEqual(rig.statuses, ["stopped", "ok"]);
      const [event] = rig.entries();
      assert.ok(event?.kind === "event" && event.type === "clock-accepted");
      assert.deepEqual(
        [event.operator, event.reason, event.detail],
        ["ann", "looked at it", `jump of ${-hourMs} ms`],
      );
      assert.equal(event.timeMs, startMs);
    });
  });

  it("that cannot be recorded is not accepted", async () => {
    await withRig(async (rig, dataDir) => {
      rig.clock = at(startMs + hourMs);
      using _ = breakLog(dataDir);
      await assert.rejects(rig.keeper.acceptClock("ann", "looked at it"), LogError);
      assert.throws(() => rig.keeper.time.assertGood(), { code: "log-clock-stopped" });
    });
  });

  it("that was not in question is recorded, too", async () => {
    await withRig(async ({ keeper, entries }) => {
      assert.equal(await keeper.acceptClock("ann", "to be sure"), hourMs, "ahead of the log");
      assert.equal(await keeper.acceptClock("ann", "to be sure"), 0);
      assert.equal(entries().length, 2);
    });
  });

  for (const later of [0, 30_000, 30 * 60_000, 2 * hourMs]) {
    it(`behind the log is still good ${later / 1_000} s later, after a restart`, async () => {
      using directory = temporaryDirectory();
      {
        await using rig = await openRig(directory.path, at(startMs));
        await rig.keeper.event({ type: "command" });
        rig.clock = at(startMs - hourMs);
        await rig.keeper.acceptClock("ann", "looked at it");
      }
      await using rig = await openRig(directory.path, at(startMs - hourMs + later, 77));
      assert.equal(rig.keeper.time.assertGood(), Math.max(startMs, startMs - hourMs + later));
    });
  }

  it("does not make one good that goes back further while the server is down", async () => {
    using directory = temporaryDirectory();
    {
      await using rig = await openRig(directory.path, at(startMs));
      await rig.keeper.event({ type: "command" });
      rig.clock = at(startMs - hourMs);
      await rig.keeper.acceptClock("ann", "looked at it");
    }
    await using rig = await openRig(directory.path, at(startMs - 2 * hourMs));
    assert.throws(() => rig.keeper.time.assertGood(), { code: "log-clock-stopped" });
  });
});
