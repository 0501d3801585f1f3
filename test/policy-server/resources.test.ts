/** The configuration of a server: what holds, what is durable before it does, and what a restart finds. */

import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { refKey } from "../../src/core/resources/policy-object.ts";
import { LogError } from "../../src/core/log/log-error.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import type { LoadedObject } from "../../src/edge/resources/manifest.ts";
import { until } from "../support/envoy.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { openResourcesRig, peerYaml, rigNowMs, type ResourcesRig } from "./resources-rig.ts";

const order = { operator: "ada", isDryRun: false };

function objects(...texts: readonly string[]): readonly LoadedObject[] {
  const { objects: loaded, problems } = parseManifests(texts.join("---\n"), "f.yaml");
  assert.deepEqual(problems, []);
  return loaded;
}

function held({ resources }: ResourcesRig): Record<string, string> {
  const all = resources.set.objects().map((each) => {
    const { object } = each.object;
    return [refKey(object.ref), "mode" in object ? object.mode : ""] as const;
  });
  return Object.fromEntries(all);
}

async function applied(rig: ResourcesRig, ...texts: readonly string[]): Promise<readonly string[]> {
  const { actions } = await rig.resources.change({ apply: objects(...texts), remove: [] }, order);
  return actions.map(({ action }) => action);
}

const shop = "PeerAuthentication/shop/default";
const [strict, permissive] = [
  peerYaml("shop/default", "STRICT"),
  peerYaml("shop/default", "PERMISSIVE"),
];
const ref = { kind: "PeerAuthentication", namespace: "shop", name: "default" } as const;

describe("what operators apply", () => {
  it("is created once, configured when it differs, unchanged when not, and gone when deleted", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    assert.deepEqual(await applied(rig, strict, peerYaml("shop/other", "DISABLE")), [
      "created",
      "created",
    ]);
    assert.deepEqual(await applied(rig, strict), ["unchanged"]);
    assert.deepEqual(await applied(rig, permissive), ["configured"]);
    const { actions } = await rig.resources.change({ apply: [], remove: [ref] }, order);
    assert.deepEqual(actions, [{ ref, action: "deleted" }]);
    assert.deepEqual(held(rig), { "PeerAuthentication/shop/other": "DISABLE" });
    assert.equal(rig.resources.set.sequence, 3);
    assert.deepEqual(
      rig.changes.map(({ set, deleted }) => [set.length, deleted.length]),
      [
        [2, 0],
        [1, 0],
        [0, 1],
      ],
    );
  });

  it("keeps the age of its creation, or the one it came with, but none from tomorrow", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    const aged = (at: string, time: string, mode = "STRICT"): string =>
      peerYaml(at, mode, `\n  creationTimestamp: ${time}`);
    await applied(
      rig,
      strict,
      aged("shop/old", "2020-01-01T00:00:00Z"),
      aged("shop/tomorrow", "2030-01-01T00:00:00Z"),
    );
    rig.nowMs += 60_000;
    await applied(rig, permissive, aged("shop/old", "2010-01-01T00:00:00Z", "DISABLE"));
    const ages = rig.resources.set
      .objects()
      .map(({ object }) => [object.object.ref.name, object.object.createdMs] as const);
    assert.deepEqual(Object.fromEntries(ages), {
      default: rigNowMs,
      old: Date.parse("2020-01-01T00:00:00Z"),
      tomorrow: rigNowMs,
    });
  });

  it("stands in the log first, with who and what and no contents", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    await applied(rig, strict);
    await applied(rig, strict);
    await rig.resources.change({ apply: [], remove: [ref] }, order);
    const [first, second, ...more] = rig.events();
    assert.deepEqual(more, []);
    assert.deepEqual(
      [first?.operator, first?.subject, JSON.parse(first?.detail ?? "")],
      ["ada", "applied", { sequence: 1, created: [shop], configured: [], deleted: [], unnamed: 0 }],
    );
    assert.deepEqual(JSON.parse(second?.detail ?? "").deleted, [shop]);
    assert.equal(first?.digest.length, 32);
    assert.doesNotMatch(JSON.stringify(first), /STRICT/);
  });

  it("is there after a restart, and so is its sequence", async () => {
    using data = temporaryDirectory();
    {
      await using rig = await openResourcesRig(data.path);
      await applied(rig, strict);
    }
    await using rig = await openResourcesRig(data.path);
    assert.deepEqual(held(rig), { [shop]: "STRICT" });
    assert.equal(rig.resources.set.sequence, 1);
    assert.deepEqual(await applied(rig, strict), ["unchanged"]);
  });

  it("changes nothing when the log or the store fails, or for a dry run", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    const { append } = rig;
    rig.append = () => Promise.reject(new LogError("log-full", "no room"));
    await assert.rejects(applied(rig, strict), { code: "log-full" });
    rig.append = append;
    rig.beforeStore = () => {
      throw new Error("the disk is gone");
    };
    await assert.rejects(applied(rig, strict), /the disk is gone/);
    rig.beforeStore = () => {};
    const dry = { ...order, isDryRun: true };
    const { actions } = await rig.resources.change({ apply: objects(strict), remove: [] }, dry);
    assert.deepEqual(actions, [{ ref, action: "created" }]);
    assert.deepEqual([held(rig), rig.changes, rig.resources.set.sequence], [{}, [], 0]);
    assert.deepEqual(await applied(rig, strict), ["created"]);
  });

  it("is all made or none of it: of what is unknown, given twice, or too much", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    await applied(rig, strict);
    const near = { ...ref, name: "defautl" };
    const other = objects(peerYaml("shop/new", "STRICT"));
    await assert.rejects(rig.resources.change({ apply: other, remove: [near] }, order), {
      code: "resource-unknown",
      message: /did you mean "PeerAuthentication shop\/default"/,
    });
    await assert.rejects(
      rig.resources.change({ apply: [...other, ...objects(strict)], remove: [ref] }, order),
      { code: "resource-twice" },
    );
    const many = Array.from({ length: 10_000 }, (_, index) => peerYaml(`shop/p${index}`, "STRICT"));
    const all = many.flatMap((text) => objects(text));
    await assert.rejects(rig.resources.change({ apply: all, remove: [] }, order), {
      code: "resources-full",
    });
    assert.deepEqual(held(rig), { [shop]: "STRICT" });
    assert.equal(rig.events().length, 1);
  });

  it("of two operators at once follows one from the other", async () => {
    using data = temporaryDirectory();
    await using rig = await openResourcesRig(data.path);
    const both = await Promise.all([applied(rig, strict), applied(rig, permissive)]);
    assert.deepEqual(both, [["created"], ["configured"]]);
    assert.deepEqual(held(rig), { [shop]: "PERMISSIVE" });
    assert.equal(rig.resources.set.sequence, 2);
  });
});

describe("the directory", () => {
  async function withDirectory(
    work: (
      data: string,
      files: string,
      write: (name: string, text: string) => void,
    ) => Promise<void>,
  ): Promise<void> {
    using data = temporaryDirectory();
    using files = temporaryDirectory();
    await work(data.path, files.path, (name, text) => writeFileSync(join(files.path, name), text));
  }

  it("holds where something else was applied, and cannot be changed by apply", async () => {
    await withDirectory(async (data, files, write) => {
      {
        await using rig = await openResourcesRig(data);
        await applied(rig, permissive);
      }
      write("a.yaml", strict);
      await using rig = await openResourcesRig(data, files);
      const { set } = rig.resources;
      assert.deepEqual(held(rig), { [shop]: "STRICT" });
      const origin = `${join(files, "a.yaml")}:1`;
      assert.deepEqual(
        set.problems.map(({ code, text }) => [code, text.includes(origin)]),
        [["applied-hidden", true]],
      );
      assert.deepEqual(await applied(rig, strict), ["unchanged"]);
      await assert.rejects(applied(rig, permissive), {
        code: "resource-in-directory",
        message: new RegExp(`${origin}.*changed there only`),
      });
      await rig.resources.change({ apply: [], remove: [ref] }, order);
      assert.deepEqual([held(rig), set.problems], [{ [shop]: "STRICT" }, []]);
      await assert.rejects(rig.resources.change({ apply: [], remove: [ref] }, order), {
        code: "resource-in-directory",
      });
    });
  });

  it("is recorded once, by the server itself, also over restarts", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      for (let start = 0; start < 2; start++) {
        await using rig = await openResourcesRig(data, files);
        assert.equal(rig.resources.set.sequence, 1);
        assert.deepEqual(
          rig.events().map(({ operator, subject }) => [operator, subject]),
          [["", "directory"]],
        );
      }
      await using rig = await openResourcesRig(data);
      assert.deepEqual(held(rig), {}, "a server that is given no directory has none");
      assert.deepEqual(JSON.parse(rig.events()[1]?.detail ?? "").deleted, [shop]);
    });
  });

  it("that is bad or away at a start takes nothing away, and says so", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      write("b.yaml", peerYaml("shop/b", "STRICT"));
      await (await openResourcesRig(data, files))[Symbol.asyncDispose]();
      write("a.yaml", strict.replace("STRICT", "STRIKT"));
      {
        await using rig = await openResourcesRig(data, files);
        assert.deepEqual(held(rig), { [shop]: "STRICT", "PeerAuthentication/shop/b": "STRICT" });
        const codes = rig.resources.set.problems.map(({ code }) => code);
        assert.deepEqual(codes, ["invalid-value"]);
      }
      rmSync(join(files, "a.yaml"));
      {
        await using rig = await openResourcesRig(data, files);
        assert.deepEqual(held(rig), { "PeerAuthentication/shop/b": "STRICT" });
      }
      rmSync(files, { recursive: true });
      {
        await using rig = await openResourcesRig(data, files);
        assert.deepEqual(held(rig), { "PeerAuthentication/shop/b": "STRICT" });
        const codes = rig.resources.set.problems.map(({ code }) => code);
        assert.deepEqual(codes, ["directory-unreadable"]);
      }
      await mkdir(files);
    });
  });

  const lost: Readonly<Record<string, (files: string) => string>> = {
    "that is empty at a start, as a mount that did not come up": (files) => {
      rmSync(join(files, "a.yaml"));
      return files;
    },
    "that is empty and another one than before": (files) => {
      const other = join(files, "other");
      mkdirSync(other);
      return other;
    },
    "whose name is wrong at a start": (files) => join(files, "nowhere"),
  };
  for (const [what, lose] of Object.entries(lost)) {
    it(`${what} takes nothing away, and an error says how to have none`, async () => {
      await withDirectory(async (data, files, write) => {
        write("a.yaml", strict);
        await (await openResourcesRig(data, files))[Symbol.asyncDispose]();
        const place = lose(files);
        // The second start has what the first one kept.
        for (let start = 0; start < 2; start++) {
          await using rig = await openResourcesRig(data, place);
          assert.deepEqual(held(rig), { [shop]: "STRICT" });
          assert.equal(rig.events().length, 1);
          assert.deepEqual(
            rig.resources.set.problems.map(({ severity, code, origin }) => [
              severity,
              code,
              origin,
            ]),
            [["error", "directory-unreadable", place]],
          );
          assert.match(rig.resources.set.problems[0]?.hint ?? "", /file without objects/);
          const said = rig.lines.map((line) => JSON.parse(line));
          assert.deepEqual(
            said.map(({ level, event, origin }) => [level, event, origin]),
            [[50, "resources-problem", place]],
          );
          assert.match(said[0].hint, /file without objects/);
        }
      });
    });
  }

  it("with a file without objects has none, also at a start", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      await (await openResourcesRig(data, files))[Symbol.asyncDispose]();
      rmSync(join(files, "a.yaml"));
      write("empty.yaml", "# nothing, on purpose\n");
      await using rig = await openResourcesRig(data, files);
      assert.deepEqual([held(rig), rig.resources.set.problems], [{}, []]);
    });
  });

  it("that is empty says nothing where there was nothing before", async () => {
    await withDirectory(async (data, files) => {
      await using rig = await openResourcesRig(data, files);
      await applied(rig, strict);
      assert.deepEqual([rig.resources.set.problems, rig.lines], [[], []]);
    });
  });

  it("that was lost at a start holds again once its files are there", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      write("b.yaml", peerYaml("shop/b", "STRICT"));
      await (await openResourcesRig(data, files))[Symbol.asyncDispose]();
      rmSync(join(files, "a.yaml"));
      rmSync(join(files, "b.yaml"));
      await using rig = await openResourcesRig(data, files);
      const changed = Promise.withResolvers<void>();
      using _ = rig.resources.set.onChange(() => changed.resolve());
      write("b.yaml", peerYaml("shop/b", "DISABLE"));
      await changed.promise;
      await until(() => rig.resources.set.problems.length === 0, "no problems");
      assert.deepEqual(held(rig), { "PeerAuthentication/shop/b": "DISABLE" });
    });
  });

  it("of an object that is too large once it is JSON has the others, and starts again", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      write(
        "b.yaml",
        peerYaml("shop/b", "STRICT", `\n  annotations: { a: '${'"'.repeat(60_000)}' }`),
      );
      // Each quotation mark is two characters in JSON.
      for (let start = 0; start < 2; start++) {
        await using rig = await openResourcesRig(data, files);
        assert.deepEqual(held(rig), { [shop]: "STRICT" });
        assert.deepEqual(
          rig.resources.set.problems.map(({ code }) => code),
          ["too-large"],
        );
      }
    });
  });

  it("is taken over when a file changes, and listeners are told of what differs only", async () => {
    await withDirectory(async (data, files, write) => {
      write("a.yaml", strict);
      write("b.yaml", peerYaml("shop/b", "STRICT"));
      await using rig = await openResourcesRig(data, files);
      const changed = Promise.withResolvers<void>();
      using _ = rig.resources.set.onChange(() => changed.resolve());
      write("a.yaml", permissive);
      await changed.promise;
      assert.deepEqual(
        rig.changes.map(({ set, deleted }) => [set.map((each) => each.object.ref.name), deleted]),
        [[["default"], []]],
      );
      assert.deepEqual(JSON.parse(rig.events()[1]?.detail ?? "").configured, [shop]);
    });
  });
});
