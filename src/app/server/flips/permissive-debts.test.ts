import assert from "node:assert/strict";
import { test } from "node:test";
import { peerYaml } from "../../../../test/flips/flips-rig.ts";
import { parseManifests } from "../../../edge/resources/parse-manifests.ts";
import { ResourceSet } from "../policy/resources/resource-set.ts";
import { storedObject, type StoredObject } from "../policy/resources/stored-object.ts";
import { PermissiveDebts } from "./permissive-debts.ts";

const dayMs = 86_400_000;
const dueMs = Date.UTC(2026, 11, 24);
const ref = { kind: "PeerAuthentication", namespace: "shop", name: "api" } as const;

function policy(mode: string, until: string): readonly StoredObject[] {
  const annotations = `{ portcullis.io/permissive-until: "${until}", portcullis.io/owner: team-x }`;
  return parseManifests(peerYaml(mode, annotations), "f.yaml").objects.map(storedObject);
}

test("a date alarms when it has come, once a day, until the object is strict", () => {
  const set = new ResourceSet(1, {
    directory: [],
    cluster: [],
    applied: policy("PERMISSIVE", "2026-12-24"),
  });
  let nowMs = dueMs - 1;
  const said: string[] = [];
  using debts = new PermissiveDebts({
    set,
    events: () => ({ overdue: (_, until, owner) => void said.push(`${until} ${owner}`) }),
    nowMs: () => nowMs,
  });
  const look = (ms: number): readonly [number, number] => {
    nowMs = ms;
    debts.look();
    return [said.length, debts.overdue.length];
  };
  assert.deepEqual(look(dueMs - 1), [0, 0]);
  assert.deepEqual(look(dueMs), [1, 1]);
  assert.deepEqual(look(dueMs + dayMs - 1), [1, 1]);
  assert.deepEqual(look(dueMs + dayMs), [2, 1]);
  assert.deepEqual(said, ["2026-12-24 team-x", "2026-12-24 team-x"]);
  const put = (objects: readonly StoredObject[]): void =>
    set.change({ layer: "applied", put: objects, remove: [] }, set.sequence + 1);
  put(policy("STRICT", "2026-12-24"));
  assert.deepEqual(look(dueMs + 9 * dayMs), [2, 0]);
  assert.equal(debts.of(ref), undefined);
  put(policy("DISABLE", "no date"));
  assert.deepEqual(look(dueMs + 9 * dayMs), [3, 1]);
  assert.deepEqual(
    [debts.of(ref)?.until, debts.of(ref)?.untilMs, debts.of(ref)?.owner],
    ["no date", undefined, "team-x"],
  );
  put(policy("PERMISSIVE", "2027-12-24"));
  assert.deepEqual(look(dueMs + 9 * dayMs), [3, 0]);
  set.change({ layer: "applied", put: [], remove: ["PeerAuthentication/shop/api"] }, 9);
  assert.equal(debts.of(ref), undefined);
});
