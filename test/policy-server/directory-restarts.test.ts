/** What a server holds of its directory's files does not hang on whether it was running when they changed. */

import assert from "node:assert/strict";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { refKey } from "../../src/core/resources/policy-object.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openResourcesRig, peerYaml, type ResourcesRig } from "./resources-rig.ts";

function held({ resources }: ResourcesRig): Record<string, string> {
  const all = resources.set.objects().map((each) => {
    const { object } = each.object;
    return [refKey(object.ref), "mode" in object ? object.mode : ""] as const;
  });
  return Object.fromEntries(all);
}

const codesOf = ({ resources }: ResourcesRig): readonly string[] =>
  resources.set.problems.map(({ code }) => code);

const shop = "PeerAuthentication/shop/default";
const other = "PeerAuthentication/shop/b";
const strict = peerYaml("shop/default", "STRICT");
const permissive = peerYaml("shop/default", "PERMISSIVE");
const large = strict.replace(
  "namespace: shop",
  `namespace: shop\n  annotations: { a: '${'"'.repeat(60_000)}' }`,
);

interface Case {
  readonly before: Readonly<Record<string, string>>;
  readonly after: Readonly<Record<string, string>>;
  readonly held: Readonly<Record<string, string>>;
  readonly codes: readonly string[];
}

const b = { "b.yaml": peerYaml("shop/b", "STRICT") };
const both = { [shop]: "STRICT", [other]: "STRICT" };

const cases: Readonly<Record<string, Case>> = {
  "a file that is emptied keeps what it said": {
    before: { ...b, "a.yaml": strict },
    after: { "a.yaml": "" },
    held: both,
    codes: ["file-emptied"],
  },
  "a file that is bad keeps what it said, all of it": {
    before: { "a.yaml": `${strict}---\n${b["b.yaml"]}` },
    after: { "a.yaml": `${strict.replace("STRICT", "STRIKT")}---\n${permissive}` },
    held: both,
    codes: ["invalid-value"],
  },
  "a file with an object that is too large once it is JSON keeps what it said": {
    before: { "a.yaml": strict },
    after: { "a.yaml": large },
    held: { [shop]: "STRICT" },
    codes: ["too-large"],
  },
  "a copy of an object does not count, wherever its file sorts": {
    before: { "z.yaml": strict },
    after: { "a.yaml": permissive },
    held: { [shop]: "STRICT" },
    codes: ["duplicate-object"],
  },
  "what was taken out of a file is gone, also where only a copy is left in it": {
    before: { "a.yaml": strict, "c.yaml": `${peerYaml("shop/x", "DISABLE")}---\n${b["b.yaml"]}` },
    after: { "c.yaml": permissive },
    held: { [shop]: "STRICT" },
    codes: ["duplicate-object"],
  },
};

describe("of the directory's files", () => {
  for (const [what, { before, after, ...expected }] of Object.entries(cases)) {
    for (const when of ["while the server runs", "between two runs"]) {
      it(`${what}: ${when}, and after a restart`, async () => {
        using data = temporaryDirectory();
        using files = temporaryDirectory();
        const write = (texts: Case["before"]): void => {
          for (const [name, text] of Object.entries(texts)) {
            writeFileSync(join(files.path, name), text);
          }
        };
        write(before);
        {
          await using rig = await openResourcesRig(data.path, files.path);
          assert.deepEqual(codesOf(rig), []);
          if (when === "while the server runs") {
            write(after);
            await until(() => codesOf(rig).length > 0, "a problem");
            assert.deepEqual([held(rig), codesOf(rig)], [expected.held, expected.codes]);
          }
        }
        write(after);
        await using rig = await openResourcesRig(data.path, files.path);
        assert.deepEqual([held(rig), codesOf(rig)], [expected.held, expected.codes]);
      });
    }
  }

  const targets = { "leads to itself": "sub", "leads nowhere": "../nowhere" };
  for (const [what, target] of Object.entries(targets)) {
    it(`a linked directory whose link ${what} keeps what it said, and is named`, async () => {
      using data = temporaryDirectory();
      using files = temporaryDirectory();
      using linked = temporaryDirectory();
      const link = join(files.path, "sub");
      writeFileSync(join(linked.path, "a.yaml"), strict);
      writeFileSync(join(files.path, "b.yaml"), peerYaml("shop/b", "STRICT"));
      symlinkSync(linked.path, link);
      await using rig = await openResourcesRig(data.path, files.path);
      assert.deepEqual(held(rig), both);
      rmSync(link);
      symlinkSync(target, link);
      await until(() => codesOf(rig).length > 0, "a problem");
      assert.deepEqual([held(rig), codesOf(rig)], [both, ["directory-unreadable"]]);
      assert.ok(JSON.stringify(rig.resources.set.problems).includes(link));
    });
  }
});
