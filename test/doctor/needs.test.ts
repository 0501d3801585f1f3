/** The rights that `doctor` asks for are those that the manifests of `deploy` give, and no others. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { clusterNeeds, needWords, type ClusterNeed } from "../../src/core/doctor/cluster-needs.ts";

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
}

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly rules?: readonly Rule[];
}

const deploy = join(import.meta.dirname, "../../deploy/kubernetes");
const roles = ["portcullis.yaml", "trust-secret.yaml", "guard.yaml"].flatMap((file) =>
  parseAllDocuments(readFileSync(join(deploy, file), "utf8"))
    .map((each) => each.toJS() as Role)
    .filter(({ kind }) => kind === "ClusterRole" || kind === "Role"),
);
const needs = clusterNeeds({
  namespace: "portcullis-system",
  bundleConfigMap: "istio-ca-root-cert",
  policyStatus: true,
  trustSecret: "portcullis-trust",
  hasOperators: true,
  hasGuard: true,
});

type Right = Pick<ClusterNeed, "verb" | "group" | "resource" | "namespace" | "name">;

function rightsOf({ rules = [], metadata: { namespace = "" } }: Role): readonly Right[] {
  return rules.flatMap(({ apiGroups = [""], resources = [], nonResourceURLs = [], ...rule }) =>
    apiGroups.flatMap((group) =>
      [...resources, ...nonResourceURLs].flatMap((resource) =>
        (rule.resourceNames ?? [""]).flatMap((name) =>
          rule.verbs.map((verb) => ({ verb, group, resource, namespace, name })),
        ),
      ),
    ),
  );
}

function wordsOf({ verb, group, resource, namespace, name }: Right): string {
  return [verb, group, resource, namespace, name].join("|");
}

describe("what a server needs of its cluster", () => {
  for (const need of needs) {
    it(`is given by the role that it names: ${needWords(need)}`, () => {
      const role = roles.find(({ metadata }) => metadata.name === need.role);
      assert.ok(role, `expected a role ${need.role}`);
      assert.ok(rightsOf(role).map(wordsOf).includes(wordsOf(need)));
    });
  }

  it("is all that its roles give, but to get what is watched", () => {
    const asked = new Set(needs.map(wordsOf));
    const names = new Set(needs.map(({ role }) => role));
    const given = roles.filter(({ metadata }) => names.has(metadata.name)).flatMap(rightsOf);
    const more = given.filter((right) => {
      const isWatched = asked.has(wordsOf({ ...right, verb: "watch" }));
      return !asked.has(wordsOf(right)) && !(right.verb === "get" && isWatched);
    });
    assert.deepEqual(more.map(wordsOf), []);
  });
});
