import assert from "node:assert/strict";
import { test } from "node:test";
import { drainingOf, type Flush, type Flushes } from "./draining.ts";

const warming = "listener_manager.total_listeners_warming";
const tcp = "connection_limit.inbound_80.plaintext-tcp.active_connections";
const http = "http.inbound_80.plaintext-http.downstream_cx_active";
const passed = "connection_limit.inbound_80.passthrough.active_connections";
const mtls = "connection_limit.inbound_80.mtls-tcp.active_connections";
const another = "connection_limit.inbound_8080.plaintext-tcp.active_connections";

const ackedMs = 1_000;

interface Case {
  readonly before?: Flush;
  readonly newest: Flush;
  readonly open: number;
  readonly isProven: boolean;
}

const cases: Readonly<Record<string, Case>> = {
  "nothing is proven by one flush": { newest: flush(1_500), open: 0, isProven: false },
  "what one flush counts is open": { newest: flush(1_500, { [tcp]: 2 }), open: 2, isProven: false },
  "two flushes after the acknowledgement prove that nothing is open": {
    before: flush(1_500),
    newest: flush(2_500),
    open: 0,
    isProven: true,
  },
  "the first of them may have counted some": {
    before: flush(1_500, { [tcp]: 1, [http]: 4 }),
    newest: flush(2_500, { [tcp]: 0 }),
    open: 0,
    isProven: true,
  },
  "nothing is proven where the first was taken before the acknowledgement": {
    before: flush(999),
    newest: flush(2_500),
    open: 0,
    isProven: false,
  },
  "nothing is proven where the first was taken in the millisecond of the acknowledgement": {
    before: flush(1_000),
    newest: flush(2_500),
    open: 0,
    isProven: false,
  },
  "nothing is proven while a listener was warming": {
    before: flush(1_500, { [warming]: 1 }),
    newest: flush(2_500),
    open: 0,
    isProven: false,
  },
  "all that is not mTLS counts, and no other port": {
    before: flush(1_500),
    newest: flush(2_500, { [tcp]: 1, [http]: 2, [passed]: 4, [mtls]: 8, [another]: 16 }),
    open: 7,
    isProven: false,
  },
};

for (const [title, { before, newest, open, isProven }] of Object.entries(cases)) {
  test(title, () => {
    const flushes: Flushes = { before, newest };
    const draining = drainingOf(flushes, new Map([[80, ackedMs]]));
    assert.deepEqual(draining, { open: new Map(open === 0 ? [] : [[80, open]]), isProven });
  });
}

test("counts no port that takes plaintext", () => {
  const flushes = { before: undefined, newest: flush(1, { [tcp]: 1 }) };
  assert.deepEqual(drainingOf(flushes, new Map()), { open: new Map(), isProven: true });
});

test("waits for the port that was acknowledged last", () => {
  const flushes = { before: flush(1_500), newest: flush(2_500) };
  const refusing = new Map([
    [80, 1_000],
    [8080, 2_000],
  ]);
  assert.equal(drainingOf(flushes, refusing).isProven, false);
});

function flush(takenMs: number, stats: Readonly<Record<string, number>> = {}): Flush {
  return { takenMs, stats: new Map(Object.entries({ [warming]: 0, ...stats })) };
}
