import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { ExtAuthzEvents, type Denial } from "./ext-authz-events.ts";

const minute = 60_000;
const denial: Denial = {
  reason: "no-identity",
  spiffeId: "spiffe://td/ns/shop/sa/web",
  proxyId: "web-0",
  port: 80,
  principal: undefined,
};

function openEvents() {
  const lines: Readonly<Record<string, unknown>>[] = [];
  const log = pino({}, { write: (text) => void lines.push(JSON.parse(text)) });
  const clock = { nowMs: 0 };
  return { events: new ExtAuthzEvents(log, () => clock.nowMs), lines, clock };
}

describe("a caller that is kept out", () => {
  it("has a line at once, and then one in a minute, with how many they were", () => {
    const { events, lines, clock } = openEvents();
    for (let time = 0; time < 10; time++) events.denied(denial);
    clock.nowMs = minute;
    events.denied(denial);
    assert.deepEqual(
      lines.map(({ count, unsaid }) => [count, unsaid]),
      [
        [1, 0],
        [10, 0],
      ],
    );
  });

  it("has no line when its workload had 16 in the minute, and is counted in the next one", () => {
    const { events, lines, clock } = openEvents();
    for (let port = 1; port <= 65_535; port++) events.denied({ ...denial, port });
    assert.deepEqual(
      lines.map(({ port }) => port),
      Array.from({ length: 16 }, (_, at) => at + 1),
    );
    events.denied({ ...denial, spiffeId: "spiffe://td/ns/shop/sa/other" });
    assert.deepEqual(
      lines.slice(16).map(({ port, unsaid }) => [port, unsaid]),
      [[80, 65_535 - 16]],
      "another workload has its own",
    );
    clock.nowMs = minute;
    events.denied({ ...denial, port: 1 });
    assert.deepEqual([lines.at(-1)?.["count"], lines.at(-1)?.["unsaid"]], [1, 0]);
  });

  it("has no line when the agent had 256 in the minute, also where the clock goes back", () => {
    const { events, lines, clock } = openEvents();
    for (let at = 0; at < 10_000; at++) {
      events.denied({ ...denial, spiffeId: `spiffe://td/ns/shop/sa/w${at}` });
      clock.nowMs -= 1;
    }
    assert.equal(lines.length, 256);
    clock.nowMs = -2 * minute;
    events.denied(denial);
    assert.deepEqual([lines.length, lines.at(-1)?.["unsaid"]], [257, 10_000 - 256]);
  });

  it("writes no more of what it said than is needed to know it", () => {
    const { events, lines } = openEvents();
    events.denied({ ...denial, proxyId: "p".repeat(100_000), principal: "q".repeat(100_000) });
    assert(JSON.stringify(lines).length < 2_000);
  });
});
