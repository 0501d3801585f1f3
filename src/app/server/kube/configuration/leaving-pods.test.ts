import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeAgentName } from "../../../../core/roll/leaf-owners.ts";
import { endedAgents, type IssuedToPod } from "./leaving-pods.ts";

const issued = (intentIndex: number, agent: string, podUid: string): IssuedToPod => ({
  intentIndex,
  intent: {
    artifact: "workload",
    agent,
    serial: Uint8Array.of(intentIndex),
    evidence: {
      method: "kubernetes",
      issuer: "",
      tokenId: "",
      namespace: "shop",
      pod: "web-0",
      podUid,
      node: "",
      address: "",
    },
  },
});

const cases: readonly (readonly [
  title: string,
  all: readonly IssuedToPod[],
  expected: readonly (readonly [agent: string, lastIndex: number, livesOn: boolean])[],
])[] = [
  [
    "an agent of a pod that has ended has ended",
    [issued(1, "a", "old"), issued(5, "a", "old")],
    [["a", 5, false]],
  ],
  ["one of another pod of its name has not", [issued(1, "a", "new")], []],
  [
    "one with the state of an older pod lives on",
    [issued(1, "a", "old"), issued(5, "a", "new")],
    [["a", 1, true]],
  ],
  [
    "one that was given a certificate on no pod's token lives on",
    [issued(1, "a", "old"), issued(5, "a", "")],
    [["a", 1, true]],
  ],
  ["a certificate that no agent asked for is nobody's", [issued(1, "", "old")], []],
  [
    "a node's agent does not end with a pod that it serves",
    [issued(1, nodeAgentName("n"), "old")],
    [],
  ],
  [
    "each of several in a pod has",
    [issued(2, "b", "old"), issued(1, "a", "old")],
    [
      ["b", 2, false],
      ["a", 1, false],
    ],
  ],
];

describe("by the log", () => {
  for (const [title, all, expected] of cases) {
    it(title, () => {
      const found = endedAgents(all, new Set(["old"]));
      assert.deepEqual(
        found.map(({ agent, lastIndex, livesOn }) => [agent, lastIndex, livesOn]),
        expected,
      );
    });
  }
});
