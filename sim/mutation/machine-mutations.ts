/** Bugs of the rotation machine. Its own assertions find some of them: they are part of what is tested. */

import type { Mutation } from "./mutations.ts";

const machine = "src/core/trust/rotation-machine.ts";
const compromise = "src/core/trust/rotation-compromise.ts";
const withdrawal = "src/core/trust/rotation-withdrawal.ts";
const pluggedTrust = "src/core/trust/plugged-trust.ts";
const nextTrust = "src/core/trust/next-trust.ts";
const trustState = "src/core/trust/trust-state.ts";

export const machineMutations: readonly Mutation[] = [
  {
    name: "confirm asks no gate",
    file: machine,
    before: 'if (gate.kind === "closed") return verifiersLagging("confirm", gate);',
    after: "",
  },
  {
    name: "a compromised root stays where it was not active",
    file: compromise,
    before:
      'if (leak.left.some((each) => each.state === "active")) return without(state, leak, leak.left);',
    after:
      'if (leak.left.some((each) => each.state === "active")) return nextTrust(state, { otherRoots: [...state.otherRoots] });',
    focus: ["compromise"],
  },
  {
    name: "files take the authority away that they do not bring",
    file: pluggedTrust,
    before:
      "const authorities = state.authorities.map((each) => (each === signing ? next : each));",
    after: "const authorities = [next];",
    focus: ["files"],
  },
  {
    name: "activate has one sign whose end is near",
    file: machine,
    before: "const expiring = endsTooSoon(prepared, evidence, lifeMs.longest, nowMs);",
    after: "const expiring = undefined;",
  },
  {
    name: "rollback has one sign whose end is near",
    focus: ["rollback", "life"],
    file: machine,
    before: "const expiring = endsTooSoon(retiring, evidence, evidence.lifeMs.usual, nowMs);",
    after: "const expiring = undefined;",
  },
  {
    name: "a compromise has one sign whose end is near",
    file: compromise,
    before: "return isEnding ? { endsAtMs: evidence.endsAtMs(other) } : undefined;",
    after: "return undefined;",
    focus: ["compromise"],
  },
  {
    name: "activate asks no gate",
    file: machine,
    before: 'if (gate.kind === "closed") return verifiersLagging("activate", gate);',
    after: "",
  },
  {
    name: "retire and abort ask no gate",
    file: withdrawal,
    before: 'if (gate.kind === "closed") return holdersLeft(authority, command, gate);',
    after: "",
  },
  {
    name: "abort asks no gate, and says that it was open",
    file: withdrawal,
    before: "const gate = holders(authority);",
    after:
      'const gate = step === "prepared" ? { kind: "open", evidence: { total: 0, confirmed: 0, weak: 0, waived: 0 } } as const : holders(authority);',
  },
  {
    name: "retire asks no gate, and says that it was open",
    file: withdrawal,
    before: "const gate = holders(authority);",
    after:
      'const gate = step === "retiring" ? { kind: "open", evidence: { total: 0, confirmed: 0, weak: 0, waived: 0 } } as const : holders(authority);',
  },
  {
    name: "activate signs without keeping the outgoing root",
    file: machine,
    before: 'return signWith(state, inState(prepared, "active", nowMs), outgoing);',
    after: 'return nextTrust(state, { authorities: [inState(prepared, "active", nowMs)] });',
  },
  {
    name: "rollback withdraws the one that was active",
    file: machine,
    before: 'return signWith(state, inState(retiring, "active", nowMs), outgoing);',
    after: 'return nextTrust(state, { authorities: [inState(retiring, "active", nowMs)] });',
  },
  {
    name: "rollback leaves the signer as it is",
    file: machine,
    before: 'return signWith(state, inState(retiring, "active", nowMs), outgoing);',
    after:
      'return signWith(state, inState(activeAuthority(state), "active", nowMs), inState(retiring, "prepared", nowMs));',
  },
  {
    name: "the bundle has the active root only",
    file: trustState,
    before: "const roots = [...state.authorities.map(({ root }) => root), ...state.otherRoots];",
    after:
      'const roots = [...state.authorities.flatMap(({ root, state }) => state === "active" ? [root] : []), ...state.otherRoots];',
  },
  {
    name: "the bundle lacks what is retiring",
    file: trustState,
    before: "const roots = [...state.authorities.map(({ root }) => root), ...state.otherRoots];",
    after:
      'const roots = [...state.authorities.flatMap(({ root, state }) => state === "retiring" ? [] : [root]), ...state.otherRoots];',
  },
  {
    name: "the sequence stands still while the roots change",
    file: nextTrust,
    before: "const bundleSequence = isSame ? before.bundleSequence : before.bundleSequence + 1n;",
    after: "const bundleSequence = before.bundleSequence;",
  },
  {
    name: "the key of the active authority is destroyed",
    file: nextTrust,
    before: '...gone.map(({ id }) => ({ kind: "destroy-key", authorityId: id }) as const),',
    after: '...gone.map(() => ({ kind: "destroy-key", authorityId: active.id }) as const),',
  },
];
