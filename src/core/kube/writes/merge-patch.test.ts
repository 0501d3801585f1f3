import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { isJsonObject, type JsonObject } from "../../identity/json-object.ts";
import { mergePatch } from "./merge-patch.ts";

/** RFC 7396 2, as it stands there. */
function apply(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result = new Map(Object.entries(isJsonObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) result.delete(name);
    else result.set(name, apply(result.get(name), value));
  }
  return Object.fromEntries(result);
}

const leaf = fc.oneof(fc.string({ maxLength: 3 }), fc.integer(), fc.boolean());
const name = fc.constantFrom("a", "b", "c", "1");
const value = fc.letrec<{ any: unknown; object: JsonObject }>((tie) => ({
  any: fc.oneof({ depthSize: "small" }, leaf, fc.array(leaf, { maxLength: 2 }), tie("object")),
  object: fc.dictionary(name, tie("any"), { maxKeys: 3, noNullPrototype: true }),
}));

describe("a merge patch", () => {
  it("makes the one of the other (RFC 7396)", () => {
    fc.assert(
      fc.property(value.object, value.object, (before, after) => {
        assert.deepEqual(apply(before, mergePatch(before, after)), after);
      }),
    );
  });

  it("is empty where they say the same", () => {
    fc.assert(
      fc.property(value.object, (all) => {
        assert.deepEqual(mergePatch(all, structuredClone(all)), {});
      }),
    );
  });

  it("names nothing that stays", () => {
    const before = {
      spec: { mtls: { mode: "PERMISSIVE" }, selector: { a: "b" } },
      metadata: { l: 1 },
    };
    const after = { spec: { mtls: { mode: "STRICT" }, selector: { a: "b" } }, metadata: {} };
    assert.deepEqual(mergePatch(before, after), {
      metadata: { l: null },
      spec: { mtls: { mode: "STRICT" } },
    });
  });
});
