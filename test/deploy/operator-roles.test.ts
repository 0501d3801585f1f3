/** The operators' roles against the table by which the server asks. */

import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { adminPermissions, PERMISSION_GROUP } from "../../src/core/kube/who/admin-permissions.ts";
import { skipKube } from "../kube/skip-kube.ts";
import { find, render, type Manifest } from "./chart.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

describe("the operators' roles", { skip: skipKube }, () => {
  let manifests: readonly Manifest[];
  before(async () => void (manifests = await render()));

  const permissionsOf = (role: string): ReadonlySet<string> => {
    const rules = find(manifests, "ClusterRole", role)["rules"] as readonly Rule[];
    assert.ok(rules.every(({ apiGroups }) => apiGroups.join() === PERMISSION_GROUP));
    return new Set(
      rules.flatMap(({ resources, verbs }) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}`)),
      ),
    );
  };
  const all = new Set(adminPermissions().map(({ resource, verb }) => `${verb} ${resource}`));
  const seeing = new Set([...all].filter((each) => each.startsWith("get ")));

  it("of an admin gives all that the server asks for, and nothing that it never does", () => {
    assert.deepEqual([...permissionsOf("portcullis-admin")].toSorted(), [...all].toSorted());
  });

  it("of a viewer gives what changes nothing", () => {
    assert.deepEqual([...permissionsOf("portcullis-viewer")].toSorted(), [...seeing].toSorted());
  });

  it("let those who flip rotate no root, and those who rotate flip nothing", () => {
    for (const [role, resources] of [
      ["portcullis-mtls-operator", ["mtls", "resources"]],
      ["portcullis-root-operator", ["roots"]],
    ] as const) {
      const changing = [...permissionsOf(role).difference(seeing)];
      const own = resources.flatMap((resource) =>
        [...all.difference(seeing)].filter((each) => each.endsWith(` ${resource}`)),
      );
      assert.deepEqual(changing.toSorted(), own.toSorted());
    }
  });
});
