/** Bugs of what an agent believes, and of what it says of its proxies. */

import type { Mutation } from "./mutations.ts";

const heldBundle = "src/core/trust/held-bundle.ts";
const serverTrust = "src/app/agent/server-trust.ts";
const subscription = "src/core/xds/subscription.ts";

export const agentMutations: readonly Mutation[] = [
  {
    name: "the held bundle takes an older one",
    focus: ["stale-server"],
    file: heldBundle,
    before: "if (came.sequence < held.sequence || !came.trustDomain.equals(held.trustDomain)) {",
    after: "if (!came.trustDomain.equals(held.trustDomain)) {",
  },
  {
    name: "a reply's roots take the place of the held ones",
    focus: ["call-hold"],
    file: heldBundle,
    before: 'if (isUsable || hasRoots(held, came.roots)) return { kind: "keep", bundle: held };',
    after:
      'if (isUsable || hasRoots(held, came.roots)) return { kind: "replace", bundle: trustBundle(held.trustDomain, held.sequence, came.roots, held.jwtKeys) };',
  },
  {
    name: "an agent verifies the server with its file for ever",
    file: serverTrust,
    before: 'return isValid && fileDigest === anchor.fileDigest ? "bundle" : "both";',
    after: 'return "file";',
  },
  {
    name: "an acknowledgement proves what was sent last",
    focus: ["envoy-stall", "files"],
    file: subscription,
    before: "if (reply.error === undefined) acknowledge(draft, response, nowMs);",
    after:
      "if (reply.error === undefined) acknowledge(draft, draft.unanswered.at(-1) ?? response, nowMs);",
  },
  {
    name: "a refusal is recorded as an acknowledgement",
    file: subscription,
    before: "if (reply.error === undefined) acknowledge(draft, response, nowMs);",
    after: "if (response !== undefined) acknowledge(draft, response, nowMs);",
  },
  {
    name: "what was acknowledged counts as whatever is now of that name",
    file: subscription,
    before: "if (current?.version !== version) return evidence;",
    after: "if (current === undefined) return evidence;",
  },
];
