import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  decideAdmission,
  undecided,
  type JudgedChange,
  type JudgedPart,
} from "./admission-decision.ts";

const api: JudgedPart = {
  text: "shop/api",
  isNew: false,
  kind: "unsafe",
  names: ["web/front", "10.0.0.7"],
};
const changeOf = (more: Partial<JudgedChange> = {}): JudgedChange => ({
  operation: "UPDATE",
  object: "shop/api",
  parts: [api],
  cut: "",
  ...more,
});

describe("what would make ports STRICT", () => {
  it("is allowed without a word where all of it is SAFE", () => {
    const silent = { isAllowed: true, warnings: [], message: "" };
    for (const mode of ["warn", "enforce"] as const) {
      assert.deepEqual(decideAdmission(mode, changeOf({ parts: [] })), silent);
      const safe = changeOf({ parts: [{ ...api, kind: "safe", names: [] }] });
      assert.deepEqual(decideAdmission(mode, safe), silent);
    }
  });

  it("is warned of by name, with the next command", () => {
    const { isAllowed, warnings } = decideAdmission("warn", changeOf());
    assert.equal(isAllowed, true);
    assert.deepEqual(warnings, [
      "Portcullis: PeerAuthentication shop/api: by it shop/api would be STRICT, and it is not known to be SAFE",
      "Portcullis: shop/api is UNSAFE: it would refuse web/front, 10.0.0.7",
      "Portcullis: stage by stage, once they have mTLS or are waived: portcullis mtls flip shop/api --to strict",
    ]);
  });

  it("is refused with the same words where that is enforced", () => {
    const { isAllowed, warnings, message } = decideAdmission("enforce", changeOf());
    assert.deepEqual([isAllowed, warnings], [false, []]);
    assert.match(message, /web\/front, 10\.0\.0\.7; .*portcullis mtls flip shop\/api --to strict$/);
  });

  it("says how to begin where nothing selects them yet, and how to learn what is missing", () => {
    const first = decideAdmission("enforce", changeOf({ parts: [{ ...api, isNew: true }] }));
    assert.match(
      first.message,
      /apply it with mode PERMISSIVE, then: portcullis mtls flip shop\/api/,
    );
    const unknown: JudgedPart = { ...api, kind: "unknown", names: ["proxy/shop/api-0"] };
    const missing = decideAdmission("enforce", changeOf({ parts: [unknown] }));
    assert.match(
      missing.message,
      /missing of proxy\/shop\/api-0; .*portcullis mtls check shop\/api$/,
    );
  });

  it("says of a deletion that it would be so without the object", () => {
    const { message } = decideAdmission("enforce", changeOf({ operation: "DELETE" }));
    assert.match(message, /without it shop\/api would be STRICT/);
  });

  it("is not called SAFE where not all of it was judged", () => {
    const { isAllowed, message } = decideAdmission(
      "enforce",
      changeOf({ parts: [], cut: "no time" }),
    );
    assert.deepEqual([isAllowed, message.endsWith("not all was judged: no time")], [false, true]);
    assert.equal(undecided("enforce", "why", "do").isAllowed, false);
    assert.equal(undecided("warn", "why", "do").isAllowed, true);
  });

  it("fits into what an API server passes on, whatever the names are", () => {
    const part = fc.record({
      text: fc.string({ maxLength: 400 }),
      isNew: fc.boolean(),
      kind: fc.constantFrom("safe" as const, "unsafe" as const, "unknown" as const),
      names: fc.array(fc.string({ maxLength: 600 }), { maxLength: 50 }),
    });
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 30 }),
        fc.constantFrom("warn" as const, "enforce" as const),
        (parts, mode) => {
          const { warnings, message } = decideAdmission(mode, changeOf({ parts }));
          const all = [...warnings, message];
          assert.ok(all.every((text) => /^[\x20-\x7e]*$/.test(text)));
          assert.ok(warnings.every((text) => text.length <= 256));
          assert.ok(warnings.join("").length <= 4_096 && message.length <= 2_048);
        },
      ),
    );
  });
});
