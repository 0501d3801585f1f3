import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { ResourceKind } from "../../../../core/resources/resource.ts";
import { parseManifest } from "../../../../edge/resources/parse-manifests.ts";
import { clusterStateAfter, type SeenKind, type SeenManifest } from "./cluster-state.ts";
import { keyOf, storedObject, type StoredObject } from "./stored-object.ts";

const kind = "PeerAuthentication";

function seen(name: string, mode: string): SeenManifest {
  const spec = { mtls: { mode } };
  const metadata = { namespace: "shop", name };
  const manifest = { apiVersion: "security.istio.io/v1", kind, metadata, spec };
  const { objects, problems } = parseManifest(JSON.stringify(manifest), "cluster");
  return { namespace: "shop", name, loaded: objects[0], problems };
}

function layerOf(...all: readonly SeenManifest[]): Map<string, StoredObject> {
  const stored = all.flatMap(({ loaded }) => (loaded === undefined ? [] : [storedObject(loaded)]));
  return new Map(stored.map((each) => [keyOf(each), each]));
}

const kinds = (is: SeenKind["is"], ...manifests: readonly SeenManifest[]): readonly SeenKind[] => [
  { kind, is, manifests },
];

/** Which are in force after it, by name, and the codes of what is said. */
function after(
  before: ReadonlyMap<string, StoredObject>,
  now: readonly SeenKind[],
  max?: number,
): readonly [readonly string[], readonly string[]] {
  const { objects, kept, problems } = clusterStateAfter(before, now, max);
  const said = problems.map(({ code, origin }) => `${origin} ${code}`);
  const all = [...objects, ...kept].map(({ object }) => {
    const mode = object.kind === "PeerAuthentication" ? object.object.mode : "";
    return `${object.object.ref.name} ${mode}`;
  });
  return [all.toSorted(), said];
}

describe("the cluster's objects", () => {
  const had = layerOf(seen("a", "STRICT"), seen("b", "STRICT"));

  it("are those of a whole list: what it does not have is gone", () => {
    assert.deepEqual(after(had, kinds("listed", seen("b", "DISABLE"), seen("c", "STRICT"))), [
      ["b DISABLE", "c STRICT"],
      [],
    ]);
    assert.deepEqual(after(had, kinds("listed")), [[], []]);
  });

  it("stay as they were while no list has come, and where the last of them has just gone", () => {
    const asBefore = ["a STRICT", "b STRICT"];
    assert.deepEqual(after(had, kinds("unlisted")), [asBefore, []]);
    assert.deepEqual(after(had, kinds("emptied")), [asBefore, []]);
  });

  it("stay where they are in the list no more and it is not known why, each by itself", () => {
    const now: SeenKind = { kind, is: "listed", manifests: [seen("c", "STRICT")] };
    const stays = new Set(["shop/b", "shop/never"]);
    assert.deepEqual(after(had, [{ ...now, stays }]), [["b STRICT", "c STRICT"], []]);
  });

  it("stay where the API server does not know the kind any more, and that is said", () => {
    const found = after(had, kinds("absent"));
    assert.deepEqual(found, [["a STRICT", "b STRICT"], ["cluster cluster-kind-absent"]]);
    assert.deepEqual(after(new Map(), kinds("absent")), [[], []]);
  });

  it("hold as they were last read where they cannot be read, and what never could does not count", () => {
    const [all, said] = after(had, kinds("listed", seen("a", "MAYBE"), seen("c", "MAYBE")));
    assert.deepEqual(all, ["a STRICT"]);
    assert.deepEqual(said, ["cluster invalid-value", "cluster invalid-value"]);
    const { problems } = clusterStateAfter(had, kinds("listed", seen("a", "MAYBE")));
    assert.deepEqual(problems[0]?.ref, { kind, namespace: "shop", name: "a" });
    assert.match(problems[0]?.text ?? "", /what it said before holds$/);
  });

  it("are so many and no more, and those that hold stay before those that are new", () => {
    const now = kinds("listed", seen("c", "STRICT"), seen("b", "STRICT"), seen("a", "STRICT"));
    assert.deepEqual(after(had, now, 2), [["a STRICT", "b STRICT"], ["cluster cluster-too-large"]]);
  });

  it("are never taken away by anything but a list without them", () => {
    const is = fc.constantFrom<SeenKind["is"]>("unlisted", "absent", "emptied");
    const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"));
    fc.assert(
      fc.property(is, names, names, (state, before, now) => {
        const layer = layerOf(...before.map((name) => seen(name, "STRICT")));
        const manifests = now.map((name) => seen(name, "DISABLE"));
        const [all] = after(layer, kinds(state, ...manifests));
        assert.deepEqual(all, before.map((name) => `${name} STRICT`).toSorted());
      }),
    );
  });

  it("of one kind say nothing of another", () => {
    const rest = (is: SeenKind["is"], of: ResourceKind): SeenKind => ({
      kind: of,
      is,
      manifests: [],
    });
    const [all] = after(had, [rest("unlisted", kind), rest("listed", "Sidecar")]);
    assert.deepEqual(all, ["a STRICT", "b STRICT"]);
  });
});
