/** Bugs of the interpreter, planted in the simulator's own: production's waits for files, threads and sockets, and has the same order. */

import type { Mutation } from "./mutations.ts";

const rotation = "sim/server/rotation.ts";
const server = "sim/server/server.ts";
const issuance = "sim/server/issuance.ts";
const leaves = "sim/server/leaves.ts";

export const serverMutations: readonly Mutation[] = [
  {
    name: "a change of trust does not wait for what is being signed",
    file: rotation,
    before: 'return this.#step !== "decide" || this.#server.issuance.inFlight === 0;',
    after: "return true;",
  },
  {
    name: "the cut is kept over a change of the bundle",
    file: server,
    before: "const cut = { rootsDigest, cutIndex: log.nextIndex };",
    after: "const cut = { rootsDigest, cutIndex: durable.cut?.cutIndex ?? 0 };",
  },
  {
    name: "what is signed is not told to the gates",
    file: issuance,
    before: "if (job.intent !== undefined) leaves.add(job.intent);",
    after: "",
  },
  {
    name: "intents without an outcome are forgotten at the start",
    focus: ["server-kill-at-write", "agent-cut"],
    file: leaves,
    before: "if (leaf !== undefined) this.add(leaf);",
    after: 'if (leaf !== undefined && leaf.outcome === "signed") this.add(leaf);',
  },
];
