import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import type { KubeObject } from "./kube-object.ts";
import { ObjectCache, type ObjectChange } from "./object-cache.ts";

interface Thing extends KubeObject {
  readonly content: number;
}

const thing = (name: string, uid: string, content = 0): Thing => ({
  namespace: "shop",
  name,
  uid,
  content,
});

const some = fc.record(
  {
    namespace: fc.constant("shop"),
    name: fc.constantFrom("a", "b", "c"),
    uid: fc.constantFrom("1", "2", "3", "4"),
    content: fc.nat(2),
  },
  { noNullPrototype: true },
);

const list = fc.uniqueArray(some, { selector: ({ name }) => name });
const messages = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant("set" as const), object: some }),
    fc.record({ kind: fc.constant("delete" as const), object: some }),
    fc.record({ kind: fc.constant("replace" as const), objects: list }),
  ),
);

type Message = Parameters<typeof apply>[1];

function apply(
  cache: ObjectCache<Thing>,
  message:
    | { readonly kind: "set" | "delete"; readonly object: Thing }
    | { readonly kind: "replace"; readonly objects: readonly Thing[] },
): readonly ObjectChange<Thing>[] {
  if (message.kind === "replace") return cache.replace(message.objects);
  return message.kind === "set" ? cache.set(message.object) : cache.delete(message.object);
}

function applyToModel(model: Map<string, Thing>, message: Message): void {
  if (message.kind === "set") model.set(message.object.name, message.object);
  if (message.kind === "delete") model.delete(message.object.name);
  if (message.kind !== "replace") return;
  model.clear();
  for (const each of message.objects) model.set(each.name, each);
}

const sorted = (things: Iterable<Thing>): Thing[] =>
  [...things].toSorted((a, b) => (a.name < b.name ? -1 : 1));

describe("a cache of objects", () => {
  it("has what the last messages say, and its changes say the same step by step", () => {
    fc.assert(
      fc.property(messages, (all) => {
        const cache = new ObjectCache<Thing>();
        const model = new Map<string, Thing>();
        const told = new Map<string, Thing>();
        for (const message of all) {
          applyToModel(model, message);
          for (const { before, after } of apply(cache, message)) {
            assert.notDeepEqual(before, after);
            if (before !== undefined) {
              assert.deepEqual(told.get(before.uid + before.name), before);
              told.delete(before.uid + before.name);
            }
            if (after !== undefined) told.set(after.uid + after.name, after);
            if (before !== undefined && after !== undefined) assert.equal(before.uid, after.uid);
          }
          assert.deepEqual(sorted(cache.values()), sorted(model.values()));
          assert.deepEqual(sorted(told.values()), sorted(model.values()));
        }
      }),
    );
  });

  it("tells a list that says what is known as no change at all", () => {
    fc.assert(
      fc.property(list, (objects) => {
        const cache = new ObjectCache<Thing>();
        cache.replace(objects);
        assert.deepEqual(cache.replace(structuredClone(objects)), []);
      }),
    );
  });

  it("tells a recreated object as one that is gone and another one", () => {
    const cache = new ObjectCache<Thing>();
    cache.set(thing("a", "1"));
    assert.deepEqual(cache.set(thing("a", "2")), [
      { before: thing("a", "1"), after: undefined },
      { before: undefined, after: thing("a", "2") },
    ]);
    assert.ok(cache.wasRemoved("1") && !cache.wasRemoved("2"));
  });

  it("lets what is gone go before it takes what is new", () => {
    const cache = new ObjectCache<Thing>();
    cache.replace([thing("z", "1")]);
    const changes = cache.replace([thing("a", "2")]);
    assert.deepEqual(
      changes.map(({ after }) => after?.name),
      [undefined, "a"],
    );
  });

  it("keeps the last that it knows of what a list has and nobody can read", () => {
    const cache = new ObjectCache<Thing>();
    cache.replace([thing("a", "1"), thing("b", "2")]);
    const changes = cache.replace([], new Set(["shop/a"]));
    assert.deepEqual(changes, [{ before: thing("b", "2"), after: undefined }]);
    assert.deepEqual(cache.find("shop", "a"), thing("a", "1"));
  });

  it("remembers so many UIDs and no more, the newest", () => {
    const cache = new ObjectCache<Thing>(2);
    cache.replace([thing("a", "1"), thing("b", "2"), thing("c", "3")]);
    for (const name of ["a", "b", "c"]) cache.delete({ namespace: "shop", name });
    assert.deepEqual(
      ["1", "2", "3"].map((uid) => cache.wasRemoved(uid)),
      [false, true, true],
    );
  });
});
