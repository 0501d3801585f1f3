import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { peer, rule, service, workload } from "../../../test/policy/objects.ts";
import { editSources } from "../../../test/support/flip-objects.ts";
import { policyChanges } from "../../../test/support/policy-changes.ts";
import { apiHost, labelsOf, trafficOf } from "../../../test/support/policy-objects.ts";
import type { MeshView } from "../policy/mesh-view.ts";
import { diffPolicies } from "../policy/policy-diff.ts";
import { refKey, type PolicyObject } from "../resources/policy-object.ts";
import { nameKey } from "../resources/resource.ts";
import { takesMeshTls } from "../resources/workload-entry.ts";
import { isRefusal } from "./flip-error.ts";
import { meshClients } from "./broken-calls.ts";
import { resolveTarget } from "./resolve-target.ts";
import { strictBreaks } from "./strict-breaks.ts";
import { planStrict } from "./strict-edit.ts";
import { viewWith } from "./view-with.ts";

const api = [service("shop/api"), workload("shop/api")];
const plain = rule("web/plain", { traffic: trafficOf({ tls: "DISABLE" }) });
const web = ["web/web-0", "web/web-1"].map((at) =>
  workload(at, { labels: labelsOf({ app: "web" }) }),
);
const naked = workload("web/cron", { serviceAccount: "", labels: labelsOf({ app: "web" }) });

function broken(...objects: readonly PolicyObject[]): readonly string[] {
  const sources = editSources([...api, ...objects]);
  const edit = planStrict(resolveTarget("shop/serviceentry/api", sources.view), sources);
  assert.ok(!isRefusal(edit));
  return edit.brokenCalls.map(({ client, why }) => `${client} ${why}`);
}

test("calls that the configuration would break are told for all clients that have a proxy, and no others", () => {
  assert.deepEqual(broken(...web, naked), []);
  assert.deepEqual(
    broken(...web, naked, plain),
    ["web/web-0", "web/web-1"].map((each) => `${each} plaintext-to-strict to ${apiHost}:80`),
  );
  assert.deepEqual(broken(...web, plain, peer({ at: "bank/p", mode: "STRICT" })).length, 2);
});

test("they are the same where the target is strict already, and whoever says so", () => {
  const now = (...objects: readonly PolicyObject[]): readonly string[] => {
    const sources = editSources([...api, ...web, naked, plain, ...objects]);
    const target = resolveTarget("shop/serviceentry/api", sources.view);
    return strictBreaks(target, sources).map(({ client, why }) => `${client} ${why}`);
  };
  const all = broken(...web, naked, plain);
  const selector = { app: "api" };
  assert.deepEqual(now(peer({ at: "shop/api", selector, mode: "STRICT" })), all);
  assert.deepEqual(now(peer({ at: "shop/default", mode: "STRICT" })), all);
  assert.deepEqual(now(peer({ at: "shop/api", selector, mode: "PERMISSIVE" })), all);
});

test("they are those of the whole difference, for clients that have a proxy", () => {
  let count = 0;
  fc.assert(
    fc.property(
      policyChanges,
      fc.constantFrom("a", "b", "a/m", "b/n", "a/n:8080"),
      (changes, text) => {
        const objects = new Map<string, PolicyObject>();
        for (const each of changes) {
          if (each.kind === "set") objects.set(refKey(each.object.object.ref), each.object);
        }
        const sources = editSources([...objects.values()]);
        const edit = planned(text, sources);
        if (edit === undefined) return;
        const after = viewWith(sources.view, edit.ref, edit.after.object);
        const expected = wholeDifference(sources.view, after);
        count += expected.length;
        assert.deepEqual(
          edit.brokenCalls.map(({ client, why }) => `${client} ${why}`),
          expected,
        );
      },
    ),
    { numRuns: 400 },
  );
  assert.ok(count > 5, `${count} calls`);
});

function planned(text: string, sources: ReturnType<typeof editSources>) {
  try {
    const edit = planStrict(resolveTarget(text, sources.view), sources);
    return isRefusal(edit) ? undefined : edit;
  } catch {
    return undefined;
  }
}

function wholeDifference(before: MeshView, after: MeshView): readonly string[] {
  const meshed = new Set(
    before.objects.workloads.filter(takesMeshTls).map(({ ref }) => nameKey(ref)),
  );
  const lines = diffPolicies(before, after)
    .calls.filter(({ breaks }) => breaks)
    .flatMap(({ clients, host, port, after: { why } }) =>
      clients.filter((each) => meshed.has(each)).map((each) => `${each} ${why} to ${host}:${port}`),
    );
  return [...new Set(lines)].toSorted((a, b) => (a < b ? -1 : 1));
}

test("clients that no configuration can tell apart are looked at once, by the names of all", () => {
  const many = ["a", "b", "c"].flatMap((namespace) =>
    ["web", "cart"].flatMap((app) =>
      ["0", "1"].map((at) => workload(`${namespace}/${app}-${at}`, { labels: labelsOf({ app }) })),
    ),
  );
  const kindsOf = (...objects: readonly PolicyObject[]): readonly number[] =>
    Array.from(meshClients(editSources([...many, naked, ...objects]).view).values(), (names) => {
      assert.ok(!names.includes("web/cron"));
      return names.length;
    }).toSorted((a, b) => a - b);
  assert.deepEqual(kindsOf(), [12]);
  assert.deepEqual(kindsOf(rule("b/own", {})), [4, 8]);
});
