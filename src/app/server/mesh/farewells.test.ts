import assert from "node:assert/strict";
import { test } from "node:test";
import { Farewells } from "./farewells.ts";
import type { LogEvent } from "../log/log-keeper.ts";

const reporter = { agentId: "a1", spiffeId: "spiffe://td/x" };
const own = { reporter, serialHex: "01", identities: [] };
const log = { indexOf: (serialHex: string) => Number(serialHex), nextIndex: () => 100 };

test("records a goodbye once for each certificate, to what it was given until then", async () => {
  const events: LogEvent[] = [];
  const farewells = new Farewells({
    ...log,
    record: async (event) => void events.push(event),
    onFailed: () => assert.fail("it was recorded"),
  });
  const identities = ["spiffe://td/y", "spiffe://td/z"];
  const taken = await Promise.all([
    farewells.take(own),
    farewells.take(own),
    farewells.take({ ...own, serialHex: "02", identities }),
  ]);
  assert.deepEqual(taken, [
    [{ spiffeId: "spiffe://td/x", agent: "a1", lastIndex: 1 }],
    undefined,
    [
      { spiffeId: "spiffe://td/x", agent: "a1", lastIndex: 2 },
      { spiffeId: "spiffe://td/y", agent: "node/a1", lastIndex: 99 },
      { spiffeId: "spiffe://td/z", agent: "node/a1", lastIndex: 99 },
    ],
  ]);
  assert.deepEqual(
    events.map(({ subject, reason, detail }) => [subject, reason, detail]),
    [
      ["spiffe://td/x", "certificates up to entry 1", "a1"],
      ["spiffe://td/x", "certificates up to entry 2", "a1"],
      ["spiffe://td/y", "certificates up to entry 99", "node/a1"],
      ["spiffe://td/z", "certificates up to entry 99", "node/a1"],
    ],
  );
});

test("ends nothing of an agent that did not ask for the certificate that it came with", async () => {
  const farewells = new Farewells({
    ...log,
    indexOf: () => undefined,
    record: () => assert.fail("nobody has left"),
    onFailed: () => assert.fail("nothing has failed"),
  });
  assert.deepEqual(await farewells.take(own), []);
});

test("does not count one that could not be recorded, and takes it again", async () => {
  let isFull = true;
  const failed: unknown[] = [];
  const farewells = new Farewells({
    ...log,
    record: async () => {
      if (isFull) throw new Error("full");
    },
    onFailed: (_, error) => void failed.push(error),
  });
  assert.equal(await farewells.take(own), undefined);
  assert.equal(failed.length, 1);
  isFull = false;
  assert.equal((await farewells.take(own))?.length, 1);
});
