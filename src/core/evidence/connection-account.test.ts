import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CountedEnvoy,
  envoyBornMs,
  lostOf,
  type Call,
} from "../../../test/support/counted-envoy.ts";
import { ConnectionAccount } from "./connection-account.ts";
import type { SeenConnections } from "./connection.ts";
import type { CountsFlush } from "./connection-counts.ts";

const startMs = envoyBornMs + 10_000;
const firstMs = startMs - 3_000;

function plain(fromMs: number, toMs: number, some: Partial<Call> = {}): Call {
  const chain = "plaintext-tcp";
  return { id: `${fromMs}`, chain, fromMs, toMs, endToldMs: toMs + 1, ...some };
}

const short = plain(startMs + 100, startMs + 200);
const lost = { ...short, endToldMs: undefined };
const mesh = { ...short, chain: "mtls-tcp" };

describe("an account", () => {
  it("answers for nothing in which something is missing, until it is lost for certain", () => {
    const until: [number, number][] = [];
    new CountedEnvoy([lost]).run({
      firstMs,
      lastMs: startMs + 5_000,
      onTake: (rows, ms) => {
        if (ms > startMs)
          until.push([(rows.at(-1)?.untilMs ?? 0) - startMs, lostOf(rows).unmeshed]);
      },
    });
    assert.deepEqual(until, [
      [0, 0],
      [0, 0],
      [3_000, 1],
      [4_000, 1],
      [5_000, 1],
    ]);
  });

  it("has nothing missing of what is told late, but before two more flushes", () => {
    const late = { ...short, endToldMs: startMs + 2_900 };
    const { rows } = new CountedEnvoy([late]).run({ firstMs, lastMs: startMs + 5_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
  });

  it("has nothing missing where each flush counts what is still on its way", () => {
    const calls = Array.from({ length: 12 }, (_, at) => {
      const toMs = startMs + at * 1_000 - 1;
      return plain(toMs - 100, toMs, { endToldMs: toMs + 20 });
    });
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 20_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
  });

  it("tells of all that is lost on a busy port, and of no more", () => {
    const calls = Array.from({ length: 3_000 }, (_, at) => {
      const fromMs = startMs + at * 7;
      const toMs = fromMs + ((at * 37) % 800);
      const isLost = at > 500 && at % 31 === 0;
      const told = { beginToldMs: fromMs + (at % 13), endToldMs: toMs + 20 + (at % 11) };
      return plain(fromMs, toMs, isLost ? { endToldMs: undefined } : told);
    });
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 35_000 });
    const lost = calls.filter(({ endToldMs }) => endToldMs === undefined).length;
    assert.deepEqual(lostOf(rows), { unmeshed: lost, meshed: 0 });
    assert.ok(lostOf(rows.filter(({ untilMs }) => untilMs < startMs + 20_000)).unmeshed > lost / 2);
  });

  it("attributes what is lost of two chains to them, where one tells of another near a flush", () => {
    const endToldMs = undefined;
    const calls = [
      plain(startMs, startMs + 1_000, { chain: "mtls-tcp", endToldMs }),
      plain(startMs, startMs + 1_001, { chain: "mtls-any", endToldMs }),
      plain(startMs, startMs + 2_001, { chain: "mtls-tcp" }),
    ];
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 9_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 2 });
  });

  it("tells at the end what is missing then", () => {
    const { account, rows } = new CountedEnvoy([lost]).run({ firstMs, lastMs: startMs + 1_000 });
    assert.equal(lostOf(rows).unmeshed, 0);
    account.end();
    assert.deepEqual(
      account.take().coverage.map(({ untilMs, lostUnmeshed }) => [untilMs, lostUnmeshed]),
      [[startMs + 1_000, 1]],
    );
    assert.deepEqual(account.take().coverage, []);
  });

  it("has not lost whose end was not told, if it was told when it began", () => {
    const named = { ...lost, beginToldMs: short.fromMs + 10 };
    const { rows, account } = new CountedEnvoy([named]).run({ firstMs, lastMs: startMs + 9_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
    assert.deepEqual(account.take().stillOpen, []);
  });

  it("does not take one for open for ever whose end was not told, and that hid behind another", () => {
    const hidden = { ...lost, beginToldMs: short.fromMs + 10 };
    const other = plain(startMs, startMs + 8_000);
    const envoy = new CountedEnvoy([hidden, other]);
    const { account, rows } = envoy.run({ firstMs, lastMs: startMs + 15_000 });
    account.flush(envoy.flush(startMs + 16_000), startMs + 16_010);
    const { coverage, stillOpen } = account.take();
    assert.equal(coverage.length, 1);
    assert.deepEqual(stillOpen, []);
    assert.equal(rows.at(-1)?.openUnnamed, 0);
  });

  it("knows whose those are that a flush has counted as open, and that ended before it came", () => {
    const calls = Array.from({ length: 9 }, (_, at) =>
      plain(startMs + at * 1_000 - 200, startMs + at * 1_000 + 5),
    );
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 8_000 });
    assert.ok(rows.length > 8);
    for (const { openUnnamed } of rows) assert.equal(openUnnamed, 0);
  });

  it("passes over a flush of before the clock was set back", () => {
    const setMs = startMs + 5_001;
    const clock = (ms: number): number => (ms < setMs ? ms : ms - 3_600_000);
    const calls = [plain(startMs + 4_900, setMs, { endToldMs: setMs + 1 })];
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 15_000, clock });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
  });

  it("still knows an open one where each flush finds others that have just ended", () => {
    const open = plain(startMs, startMs + 60_000, { beginToldMs: startMs + 10 });
    const others = Array.from({ length: 9 }, (_, at) => {
      const toMs = startMs + at * 1_000 - 1;
      return plain(toMs - 600, toMs, { beginToldMs: toMs - 590, endToldMs: toMs + 20 });
    });
    const { rows } = new CountedEnvoy([open, ...others]).run({ firstMs, lastMs: startMs + 12_000 });
    for (const { openUnnamed } of rows) assert.equal(openUnnamed, 0);
  });

  it("waits for names where each flush finds one that has just begun", () => {
    const calls = Array.from({ length: 9 }, (_, at) => {
      const fromMs = startMs + at * 1_000 - 5;
      return plain(fromMs, fromMs + 400, { beginToldMs: fromMs + 25 });
    });
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 9_000 });
    for (const { openUnnamed } of rows) assert.equal(openUnnamed, 0);
  });

  it("waits for the first request of a connection that has just begun", () => {
    const account = new ConnectionAccount();
    const beganMs = startMs - 100;
    const request = { ...short, chain: "plaintext-http", fromMs: startMs + 300 };
    for (let ms = firstMs; ms <= startMs + 6_000; ms += 1_000) {
      const chains = new Map([["plaintext-http", { ended: 0, open: Number(ms > beganMs) }]]);
      const ports = new Map([[80, { ended: 0, chains }]]);
      const uptimeSeconds = (ms - envoyBornMs) / 1_000;
      account.flush({ takenMs: ms, uptimeSeconds, removedListeners: 0, ports }, ms);
      for (const { openUnnamed } of account.take().coverage) assert.equal(openUnnamed, 0);
      const { id, chain } = request;
      if (ms === startMs) account.opened({ id, chain, seen: seenOf(request) }, ms + 310);
    }
  });

  it("waits for a name that comes a moment after the flush", () => {
    const open = plain(startMs + 995, startMs + 60_000, { beginToldMs: startMs + 1_061 });
    const { rows } = new CountedEnvoy([open]).run({ firstMs, lastMs: startMs + 8_000 });
    for (const { openUnnamed } of rows) assert.equal(openUnnamed, 0);
  });

  it("knows whose the open ones are when the clock was set back", () => {
    const clock = (ms: number): number => (ms < startMs + 1_500 ? ms : ms - 3_600_000);
    const open = plain(startMs, startMs + 60_000, { beginToldMs: startMs + 10 });
    const { rows } = new CountedEnvoy([open]).run({ firstMs, lastMs: startMs + 8_000, clock });
    for (const { openUnnamed } of rows) assert.equal(openUnnamed, 0);
  });

  it("does not take a lost one for one that began after the clock was set back", () => {
    const clock = (ms: number): number => (ms < startMs + 1_100 ? ms : ms - 3_600_000);
    const other = plain(startMs + 2_001, startMs + 2_002, {
      beginToldMs: startMs + 2_001,
      endToldMs: startMs + 2_011,
    });
    const { rows } = new CountedEnvoy([lost, other]).run({
      firstMs,
      lastMs: startMs + 9_000,
      clock,
    });
    assert.deepEqual(lostOf(rows), { unmeshed: 1, meshed: 0 });
  });

  it("says of each that is open that it was seen until now, and counts it once", () => {
    const long = plain(startMs, startMs + 60_000, { beginToldMs: startMs + 10 });
    const envoy = new CountedEnvoy([long, mesh]);
    const account = new ConnectionAccount();
    const { count } = envoy.run({ firstMs, lastMs: startMs + 5_000, account });
    assert.equal(count, 2);
    account.flush(envoy.flush(startMs + 6_000), startMs + 6_010);
    assert.deepEqual(
      account
        .take()
        .stillOpen.map(({ count: more, firstMs: from, lastMs }) => [more, from, lastMs]),
      [[0, startMs, startMs + 6_000]],
    );
  });

  it("counts requests of one connection once, and the end of one that it did not see begin", () => {
    const account = new ConnectionAccount();
    const seen = seenOf(short);
    const told = { id: "7", chain: "plaintext-http", seen };
    assert.deepEqual([account.opened(told, startMs), account.opened(told, startMs)], [1, 0]);
    assert.equal(account.ended(told, startMs + 1), 0);
    assert.equal(account.ended(told, startMs + 2), 1);
    assert.equal(account.opened({ ...told, chain: "mtls-http" }, startMs + 3), 0);
    assert.equal(account.ended({ ...told, chain: "mtls-http" }, startMs + 4), 1);
  });
});

describe("an account tells how many connections with mTLS are open", () => {
  it("at the end of its time, without the agent's own", () => {
    const from = { fromMs: startMs, endToldMs: undefined };
    const calls = [
      plain(startMs, startMs + 60_000, { ...from, chain: "mtls-tcp" }),
      plain(startMs, startMs + 60_000, { ...from, id: "2", chain: "mtls-any" }),
      plain(startMs, startMs + 60_000, { ...from, id: "3", chain: "canary" }),
      plain(startMs, startMs + 60_000, { ...from, id: "4", beginToldMs: startMs + 1 }),
      plain(startMs, startMs + 2_500, { chain: "mtls-tcp", id: "5" }),
    ];
    const { rows } = new CountedEnvoy(calls).run({ firstMs, lastMs: startMs + 5_000 });
    const open = rows.map(({ untilMs, openMeshed }) => [untilMs - startMs, openMeshed]);
    assert.deepEqual(open.slice(-4), [
      [2_000, 3],
      [3_000, 2],
      [4_000, 2],
      [5_000, 2],
    ]);
    assert.equal(open[0]?.[1], 0);
  });
});

describe("an account whose Envoy's chains change", () => {
  const goneMs = startMs + 2_500;
  const gone = { fromMs: goneMs, toMs: goneMs + 2_000 };
  /** Ends with its chain, after the last flush that could count it there. */
  const last = (chain: string): Call => plain(startMs, goneMs, { chain });
  const later = plain(goneMs + 5_000, goneMs + 5_100, { endToldMs: undefined });

  it("attributes what is lost to the chain that came again", () => {
    const calls = [last("mtls-any"), { ...later, chain: "mtls-any" }];
    const envoy = new CountedEnvoy(calls, [{ ...gone, chains: ["mtls-any"] }]);
    const { rows } = envoy.run({ firstMs, lastMs: startMs + 15_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 1 });
  });

  it("notices one that came again between two flushes", () => {
    const chain = "mtls-any";
    const before = [0, 1, 2].map((at) => plain(startMs + at, startMs + at + 10, { chain }));
    const after = { ...plain(startMs + 2_700, startMs + 2_750, { chain }), endToldMs: undefined };
    const away = { chains: [chain], fromMs: startMs + 2_100, toMs: startMs + 2_600 };
    const envoy = new CountedEnvoy([...before, after], [away]);
    const { rows } = envoy.run({ firstMs, lastMs: startMs + 15_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 1 });
  });

  it("knows by the listener's counter what was lost with a chain", () => {
    const calls = [{ ...last("plaintext-tcp"), endToldMs: undefined }];
    const envoy = new CountedEnvoy(calls, [{ ...gone, chains: ["plaintext-tcp"] }]);
    const { rows } = envoy.run({ firstMs, lastMs: startMs + 15_000 });
    assert.deepEqual(lostOf(rows), { unmeshed: 1, meshed: 0 });
  });

  it("knows it also where the listener was gone meanwhile, with what it had counted last", () => {
    const before = plain(startMs, goneMs);
    const lostLater = { ...later, toMs: goneMs + 5_900 };
    const account = new ConnectionAccount();
    const told = (call: Call, ms: number): void => {
      account.ended({ id: call.id, chain: call.chain, seen: seenOf(call) }, ms);
    };
    for (let ms = firstMs; ms <= startMs + 15_000; ms += 1_000) {
      if (ms === startMs + 3_000) told(before, ms - 400);
      // The listener never counts the first one, and no chain the second.
      const ended = ms > lostLater.toMs ? 1 : 0;
      const ports = new Map([[80, { ended, chains: new Map() }]]);
      const uptimeSeconds = (ms - envoyBornMs) / 1_000;
      account.flush({ takenMs: ms, uptimeSeconds, removedListeners: 0, ports }, ms + 10);
    }
    assert.deepEqual(lostOf(account.take().coverage), { unmeshed: 1, meshed: 0 });
  });
});

describe("an account that begins in the middle of a life", () => {
  const beginMs = startMs + 5_000;
  const run = (calls: readonly Call[]) =>
    new CountedEnvoy(calls).run({ firstMs: beginMs, lastMs: beginMs + 5_000 });

  it("answers for all of it where there was nothing but mTLS", () => {
    assert.equal(run([mesh]).rows[0]?.sinceMs, envoyBornMs);
    assert.equal(run([]).rows[0]?.sinceMs, envoyBornMs);
  });

  it("answers from then on where there was something else", () => {
    assert.equal(run([short]).rows[0]?.sinceMs, beginMs);
    assert.equal(run([{ ...short, chain: "" }]).rows[0]?.sinceMs, beginMs);
  });

  it("answers from then on where a listener was removed, and its counters with it", () => {
    const envoy = new CountedEnvoy([mesh]);
    const account = new ConnectionAccount();
    for (const ms of [beginMs, beginMs + 1_000, beginMs + 2_000]) {
      account.flush({ ...envoy.flush(ms), removedListeners: 1 }, ms);
    }
    assert.equal(account.take().coverage[0]?.sinceMs, beginMs);
  });

  it("says what had ended by then, so that another that goes on is known to have missed nothing", () => {
    const open = plain(startMs, beginMs + 9_500);
    const envoy = new CountedEnvoy([short, open]);
    const last = envoy.run({ firstMs, lastMs: startMs + 2_000 }).rows.at(-1);
    const next = envoy.run({ firstMs: beginMs, lastMs: beginMs + 5_000 }).rows[0];
    assert.equal(last?.endedAtUntil, 1);
    assert.equal(next?.endedAtSince, 1);
    assert.equal(next.openUnnamed, 1, "and it does not know whose this is");
    const later = envoy.run({ firstMs: beginMs + 10_000, lastMs: beginMs + 15_000 }).rows[0];
    assert.equal(later?.endedAtSince, 2);
  });

  it("does not take what it is told late of before for what it is to be told", () => {
    const before = plain(startMs, beginMs - 500, { endToldMs: beginMs + 300 });
    const calls = [before, plain(beginMs, beginMs + 600, { endToldMs: undefined })];
    assert.deepEqual(lostOf(run(calls).rows), { unmeshed: 1, meshed: 0 });
  });

  it("begins where no connection ends, or after a few tries", () => {
    const near = [
      plain(startMs, beginMs - 20, { endToldMs: beginMs + 300 }),
      // The clock may have been set meanwhile.
      plain(startMs + 1, beginMs + 700, { endToldMs: beginMs + 1_001 }),
    ];
    assert.equal(run(near.slice(0, 1)).rows[0]?.sinceMs, beginMs + 1_000);
    assert.equal(run(near).rows[0]?.sinceMs, beginMs + 2_000);
    const always = Array.from({ length: 9 }, (_, at) => plain(startMs, beginMs + at * 1_000 + 20));
    const { rows } = new CountedEnvoy(always).run({ firstMs: beginMs, lastMs: beginMs + 20_000 });
    assert.equal(rows[0]?.sinceMs, beginMs + 4_000);
    assert.deepEqual(lostOf(rows), { unmeshed: 0, meshed: 0 });
  });

  it("answers for a listener that came later from the begin on", () => {
    const envoy = new CountedEnvoy([lost]);
    const account = new ConnectionAccount();
    for (let ms = firstMs; ms <= startMs + 5_000; ms += 1_000) {
      const flush = envoy.flush(ms);
      account.flush(ms < startMs ? { ...flush, ports: new Map() } : flush, ms);
    }
    const { coverage, epochMs } = account.take();
    assert.equal(epochMs, envoyBornMs);
    assert.deepEqual(
      coverage.map(({ sinceMs, lostUnmeshed }) => [sinceMs, lostUnmeshed]),
      [[envoyBornMs, 1]],
    );
  });
});

describe("an account takes a flush", () => {
  const flush: CountsFlush = {
    takenMs: startMs,
    uptimeSeconds: 60,
    removedListeners: 0,
    ports: new Map(),
  };
  const table: readonly (readonly [string, Partial<CountsFlush>, boolean])[] = [
    ["that follows", { takenMs: startMs + 1_000, uptimeSeconds: 61 }, true],
    ["that comes after an hour", { takenMs: startMs + 3_600_000, uptimeSeconds: 3_660 }, true],
    ["after the clock was set forward", { takenMs: startMs + 9_000_000, uptimeSeconds: 61 }, true],
    ["after the clock was set back", { takenMs: startMs - 9_000_000, uptimeSeconds: 61 }, true],
    [
      "after the clock was set back, and Envoy's age with it",
      { takenMs: startMs - 40_300, uptimeSeconds: 19 },
      true,
    ],
    [
      "but not of an Envoy that was started again after that",
      { takenMs: startMs - 40_300, uptimeSeconds: 1 },
      false,
    ],
    [
      "but not of one that began with the other, and later",
      { takenMs: startMs + 900, uptimeSeconds: 59 },
      false,
    ],
    [
      "but not of an Envoy that was started again",
      { takenMs: startMs + 5_000, uptimeSeconds: 1 },
      false,
    ],
    [
      "but not of one that was long ago",
      { takenMs: startMs + 3_600_000, uptimeSeconds: 100 },
      false,
    ],
  ];
  for (const [title, next, isTaken] of table) {
    it(title, () => {
      const account = new ConnectionAccount();
      account.flush(flush, startMs);
      assert.equal(account.flush({ ...flush, ...next }, startMs + 10_000_000), isTaken);
    });
  }
});

function seenOf({ fromMs, toMs }: Call): SeenConnections {
  return {
    port: 80,
    kind: "plaintext",
    isRefused: false,
    source: { kind: "address", address: "10.0.0.1" },
    firstMs: fromMs,
    lastMs: toMs,
    count: 1,
    claim: "",
  };
}
