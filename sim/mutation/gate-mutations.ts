/** Bugs of the two gates, and of what they count. */

import type { Mutation } from "./mutations.ts";

const verifierGate = "src/core/roll/verifier-gate.ts";
const verifierOwners = "src/core/roll/verifier-owners.ts";
const holderGate = "src/core/roll/holder-gate.ts";
const proxyVerdict = "src/core/roll/proxy-verdict.ts";
const leafOwners = "src/core/roll/leaf-owners.ts";
const leafHolders = "src/core/roll/leaf-holders.ts";

export const gateMutations: readonly Mutation[] = [
  {
    name: "one subscription of a proxy confirms for all",
    file: proxyVerdict,
    before: "if (reason !== undefined) return { reason, about: subscription.resourceName };",
    after: 'if (reason === undefined) return "confirmed";',
  },
  {
    name: "a refusal of the bundle clears what is wanted",
    file: proxyVerdict,
    before: 'if (nack !== undefined) return "refused";',
    after: "if (nack !== undefined) return undefined;",
  },
  {
    name: "any bundle that was acknowledged confirms",
    file: proxyVerdict,
    before: "return digest === rootsDigest && sequence >= rootsSequence;",
    after: "return true;",
  },
  {
    name: "a sequence confirms, whatever the roots",
    focus: ["restore", "back-up", "abort", "prepare"],
    file: proxyVerdict,
    before: "return digest === rootsDigest && sequence >= rootsSequence;",
    after: "return sequence >= rootsSequence;",
  },
  {
    name: "a set of roots confirms, whenever it was held",
    focus: ["abort", "prepare", "agent-cut"],
    file: proxyVerdict,
    before: "return digest === rootsDigest && sequence >= rootsSequence;",
    after: "return digest === rootsDigest;",
  },
  {
    name: "agents that are away are not waited for",
    focus: ["agent-cut", "agent-freeze"],
    file: verifierGate,
    before:
      'if (nowMs < endsAtMs) tally.lag({ ...lag, reason: "not-connected", about: "", endsAtMs });',
    after: "",
  },
  {
    name: "proxies that are away are not waited for",
    file: verifierGate,
    before: "if (nowMs >= endsAtMs || isLeftClient(view, entry)) return;",
    after: "return;",
  },
  {
    name: "agents that are connected confirm for their proxies",
    file: verifierGate,
    before: 'if (verdict === "confirmed") return tally.confirm(isWeak);',
    after: "return tally.confirm(isWeak);",
  },
  {
    name: "owners of certificates are not waited for",
    file: verifierGate,
    before: "  countOwners(at, agents);\n",
    after: "",
  },
  {
    name: "the verifiers' gate opens before the log is read",
    focus: ["server-kill"],
    file: verifierGate,
    before: "if (!view.owners.isBuilt) {",
    after: "if (view.owners === undefined) {",
  },
  {
    name: "owners without an agent are confirmed by any certificate",
    file: verifierOwners,
    before: "if (signedIndex >= cutIndex) tally.confirm(true);",
    after: "if (signedIndex >= 0) tally.confirm(true);",
  },
  {
    name: "the verifiers' gate forgets the skew of clocks",
    focus: ["agent-freeze", "clock-move", "minute"],
    file: verifierGate,
    before: "const skewMs = view.roll.maxSkewMs;",
    after: "const skewMs = 0;",
  },
  {
    name: "the holders' gate forgets the skew of clocks",
    focus: ["agent-freeze", "clock-move", "minute"],
    file: holderGate,
    before: "const { holders, root, own, waived, skewMs, lostUntilMs } = view;",
    after: "const { holders, root, own, waived, lostUntilMs } = view; const skewMs = 0;",
  },
  {
    name: "a certificate hangs on no root that is known",
    file: holderGate,
    before: "if (!isOver) countLeaves(",
    after: "if (!isOver && each === unknownRoot) countLeaves(",
  },
  {
    name: "the holders' gate opens before the log is read",
    focus: ["server-kill"],
    file: holderGate,
    before: "if (!holders.isBuilt) {",
    after: "if (holders === undefined) {",
  },
  {
    name: "the server's own certificate is no holder",
    file: holderGate,
    before: "    if (each.root !== root) continue;\n",
    after: "    if (each.root !== each.name) continue;\n",
  },
  {
    name: "an expired certificate of a root stands for its others",
    file: leafHolders,
    before: "this.#lastNotAfterMs.set(root, Math.max(this.lastNotAfterMs(root), notAfterMs));",
    after: "if (!this.#lastNotAfterMs.has(root)) this.#lastNotAfterMs.set(root, notAfterMs);",
  },
  {
    name: "an owner is known by its first certificate only",
    file: leafOwners,
    before: "notAfterMs: last.notAfterMs,",
    after: "notAfterMs: owner.notAfterMs,",
  },
  {
    name: "a goodbye takes what was given later",
    focus: ["agent-goodbye", "agent-cut"],
    file: leafOwners,
    before: "owner !== undefined && owner.lastIndex <= lastIndex",
    after: "owner !== undefined",
  },
];
