import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { World } from "../support/policy-knowledge.ts";

type Steps = Readonly<Record<string, (world: World) => void>>;

const parts: Steps = {
  "envoy begins": ({ envoy }) => envoy.begin(),
  "envoy acks": ({ envoy }) => envoy.answer(true, false),
  "envoy refuses": ({ envoy }) => envoy.answer(false, false),
  "agent reports": (world) => world.report(),
  "agent reads": (world) => world.agentReads(),
  "server reads": (world) => world.serverReads(),
  "server pushes": (world) => world.push(),
  disk: (world) => world.write(),
};
/** The whole way down, and what is there already the whole way up. */
const ways: Steps = {
  down: (world) => {
    world.push();
    world.agentReads();
    world.envoy.begin();
  },
  up: (world) => {
    world.write();
    world.report();
    for (let message = 0; message < 4; message++) world.serverReads();
  },
  all: (world) => world.settle(1),
};
const wants: Steps = {
  "want 0": (world) => world.want(0),
  "want 1": (world) => world.want(1),
  "want 2": (world) => world.want(2),
  "want 3": (world) => world.want(3),
};
const faults: Steps = {
  "envoy acks silently": ({ envoy }) => envoy.answer(true, true),
  "envoy refuses silently": ({ envoy }) => envoy.answer(false, true),
  "envoy restarts": ({ envoy }) => envoy.restart(),
  "envoy begins anew": (world) => {
    world.envoy.restart();
    while (world.streams.length > 0) world.closeStream();
    world.openStream();
  },
  "server is silent": (world) => world.serverIsSilent(),
  "ads opens": (world) => world.openStream(),
  "ads closes": (world) => world.closeStream(),
  "ads comes back": (world) => {
    world.closeStream();
    world.openStream();
  },
  "agent restarts": (world) => world.restartAgent(),
  "mesh comes back": (world) => world.connect(),
  "mesh is cut": (world) => world.cut(),
  "server notices": (world) => world.noticeEnd(),
  "server restarts": (world) => world.restartServer(),
};

const all: Steps = { ...parts, ...ways, ...wants, ...faults };
const nameOf = (steps: Steps): fc.Arbitrary<string> => fc.constantFrom(...Object.keys(steps));

const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: nameOf(parts) },
    { weight: 6, arbitrary: nameOf(ways) },
    { weight: 3, arbitrary: nameOf(wants) },
    { weight: 2, arbitrary: nameOf(faults) },
  ),
  { maxLength: 150, size: "max" },
);

function assertKnown(steps: readonly string[]): void {
  const world = new World();
  world.want(0);
  world.openStream();
  world.connect();
  for (const name of steps) {
    const step = all[name];
    assert.ok(step, `no step is called ${name}`);
    step(world);
    assert.deepEqual(world.unknown, [], name);
  }
}

test("the server knows all that an Envoy may be doing, or that it does not, whatever breaks", () => {
  fc.assert(fc.property(steps, assertKnown), { numRuns: 2_000 });
});

const found: Readonly<Record<string, string>> = {
  "what an Envoy has refused when it then refuses its last good policy, too":
    "all, all, ads opens, ads comes back, want 3, down, envoy acks, " +
    "envoy refuses, want 0, up, envoy refuses, down, all",
  "what is on its way to an Envoy that does it already, and begins anew":
    "up, down, envoy refuses, want 3, all, mesh comes back, up, server pushes, want 0, " +
    "envoy acks, envoy restarts, up, all, envoy begins",
  "what comes before that which an Envoy was given meanwhile by the agent alone":
    "want 1, all, all, want 0, server pushes, envoy begins anew, want 1, up, " +
    "server is silent, down, envoy acks, up, down",
  "what is on its way a second time to an Envoy that begins anew":
    "want 1, all, want 0, envoy begins anew, all, envoy refuses, up, envoy acks, want 1, " +
    "server pushes, agent reports, envoy begins anew, want 0, all, envoy begins",
  "what was read and not answered, though the Envoy has already acknowledged what comes after it":
    "want 1, all, all, want 0, server pushes, envoy begins anew, want 1, up, server pushes, " +
    "server is silent, envoy acks, disk, agent reads, agent reads, up, envoy begins",
};
for (const [what, trace] of Object.entries(found)) {
  test(`the server knows ${what}`, () => assertKnown(trace.split(", ")));
}

test("when nothing breaks any more, each Envoy that is sure does what it is to do, and nothing is left of what it has refused", () => {
  fc.assert(
    fc.property(steps, (steps) => {
      const world = new World();
      for (const name of steps) all[name]?.(world);
      world.want(3);
      world.settle(1);
      world.want(4);
      world.settle(12);
      const { applied, pending, sent } = world.state;
      assert.deepEqual([applied, pending, sent], [world.desired, [], undefined]);
    }),
    { numRuns: 2_000 },
  );
});
