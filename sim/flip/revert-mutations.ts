/** Planted bugs of what takes a flip back, which the simulator of flips must find. */

import type { Mutation } from "../mutation/mutations.ts";

const causes = "src/core/flip/flip-causes.ts";
const machine = "src/core/flip/flip-machine.ts";

export const revertMutations: readonly Mutation[] = [
  {
    name: "a flip over whose object another stands ends, and leaves its STRICT",
    file: "src/core/flip/object-says.ts",
    before: 'return isStanding(flip, view) ? "overruled" : "other";',
    after: 'return isStanding(flip, view) ? "other" : "other";',
  },
  {
    name: "an address that nobody knows takes a flip back",
    file: causes,
    before: 'holder.kind === "workload" ? [holder.name] : []',
    after: 'holder.kind === "workload" ? [holder.name] : [holder.kind]',
    seed: 5,
  },
  {
    name: "a flip is taken back by how often, and not by how many",
    file: causes,
    before: "named.length >= flip.revertOnRefused;",
    after: "calls.length >= flip.revertOnRefused;",
  },
  {
    name: "who was refused before the stage takes it back",
    file: causes,
    before: 'return kind !== "mtls" && lastMs >= inForceMs;',
    after: 'return kind !== "mtls" && lastMs + 0 * inForceMs >= 0;',
    seed: 4,
  },
  {
    name: "nobody who was refused takes a flip back",
    file: causes,
    before: "flip.revertOnRefused !== undefined &&",
    after: "flip.revertOnRefused === 1_000 &&",
  },
  {
    name: "refused callers take a flip back that nobody has asked for it",
    file: causes,
    before: "flip.revertOnRefused !== undefined && named.length >= flip.revertOnRefused;",
    after: "named.length >= (flip.revertOnRefused ?? 1);",
  },
  {
    name: "a refused caller takes a flip back, and is waived",
    file: causes,
    before: "calls.filter((call) => !isWaived(call)),",
    after: "calls.filter((call) => !isWaived(call) || call.lastMs > 0),",
    seed: 3,
  },
  {
    name: "a caller of the mesh that fails takes nothing back",
    file: causes,
    before: "if (failed.length > 0) return",
    after: "if (failed.length > 1_000) return",
  },
  {
    name: "a caller of the mesh that has failed before takes a flip back",
    file: causes,
    before: "return namesOf(now).filter((name) => !before.has(name));",
    after: "return namesOf(failures).concat([...before]).filter(() => now.length >= 0);",
  },
  {
    name: "a flip is taken back twice",
    file: machine,
    before: 'if (kind === "reverted" || isGone) return',
    after: "if (isGone) return",
  },
];
