import assert from "node:assert/strict";
import { chownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import type { ParsedManifests } from "../../src/edge/resources/manifest.ts";
import { openResourceDirectory } from "../../src/edge/resources/resource-directory.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const pa = (name: string, mode = "STRICT"): string =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: ${name}}\nspec: {mtls: {mode: ${mode}}}\n`;

const namesOf = ({ objects }: ParsedManifests): readonly string[] =>
  objects.map(({ object }) => object.object.ref.name);

/** States as they come. */
class States {
  readonly #waiting: ((state: ParsedManifests) => void)[] = [];
  readonly #come: ParsedManifests[] = [];

  push(state: ParsedManifests): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#come.push(state);
    else waiting(state);
  }

  async next(): Promise<ParsedManifests> {
    const come = this.#come.shift();
    if (come !== undefined) return come;
    const { promise, resolve } = Promise.withResolvers<ParsedManifests>();
    this.#waiting.push(resolve);
    return await promise;
  }

  get unseen(): number {
    return this.#come.length;
  }
}

async function open(path: string, context: TestContext, times = { pollMs: 200, quietMs: 20 }) {
  const ending = new AbortController();
  context.after(() => ending.abort());
  const states = new States();
  const onChange = (state: ParsedManifests): void => states.push(state);
  const first = await openResourceDirectory(path, { onChange, signal: ending.signal, ...times });
  return { first, states, ending };
}

test("reads manifests of all directories by path, and leaves the rest alone", async (context) => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "b/c"), { recursive: true });
  mkdirSync(join(directory.path, ".git"));
  writeFileSync(join(directory.path, "z.yaml"), pa("z"));
  writeFileSync(join(directory.path, "b/c/y.yml"), pa("y"));
  writeFileSync(
    join(directory.path, "a.json"),
    JSON.stringify({
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name: "a" },
    }),
  );
  writeFileSync(join(directory.path, ".git/x.yaml"), pa("x"));
  writeFileSync(join(directory.path, ".hidden.yaml"), pa("x"));
  writeFileSync(join(directory.path, "README.md"), "no");
  const { first } = await open(directory.path, context);
  assert.deepEqual(namesOf(first), ["a", "y", "z"]);
  assert.deepEqual(first.problems, []);
  assert.equal(first.objects[1]?.origin, `${join(directory.path, "b/c/y.yml")}:1`);
});

test("tells what has changed: a file that is new, bad, mended, gone", async (context) => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "a.yaml");
  const { first, states } = await open(directory.path, context);
  assert.deepEqual(first, { objects: [], problems: [] });
  writeFileSync(file, pa("a"));
  assert.deepEqual(namesOf(await states.next()), ["a"]);
  writeFileSync(file, pa("a", "STRCT"));
  const bad = await states.next();
  assert.deepEqual(namesOf(bad), ["a"]);
  assert.deepEqual(
    bad.problems.map(({ origin, path }) => [origin, path]),
    [[`${file}:4`, "spec.mtls.mode"]],
  );
  writeFileSync(file, pa("b"));
  assert.deepEqual(namesOf(await states.next()), ["b"]);
  rmSync(file);
  assert.deepEqual(namesOf(await states.next()), []);
});

test("says nothing of a file that was written as it was", async (context) => {
  using directory = temporaryDirectory();
  writeFileSync(join(directory.path, "a.yaml"), pa("a"));
  const { states } = await open(directory.path, context);
  writeFileSync(join(directory.path, "a.yaml"), pa("a"));
  writeFileSync(join(directory.path, "b.yaml"), pa("b"));
  assert.deepEqual(namesOf(await states.next()), ["a", "b"]);
  assert.equal(states.unseen, 0);
});

test("never acts on what is being written", async (context) => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "a.yaml");
  writeFileSync(file, pa("a"));
  const { states } = await open(directory.path, context, { pollMs: 200, quietMs: 500 });
  const parts = ["", pa("b"), `${pa("b")}---\n${pa("c", "STR")}`, `${pa("b")}---\n${pa("c")}`];
  for (const part of parts) {
    writeFileSync(file, part);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const next = await states.next();
  assert.deepEqual(namesOf(next), ["b", "c"]);
  assert.deepEqual(next.problems, []);
});

test("follows a ConfigMap that the kubelet replaces", async (context) => {
  using directory = temporaryDirectory();
  const mount = join(directory.path, "mount");
  const put = (generation: string, mode: string): void => {
    mkdirSync(join(mount, generation), { recursive: true });
    writeFileSync(join(mount, generation, "a.yaml"), pa("a", mode));
    symlinkSync(generation, join(mount, "..data_tmp"));
    renameSync(join(mount, "..data_tmp"), join(mount, "..data"));
  };
  put("..1", "STRICT");
  symlinkSync("..data/a.yaml", join(mount, "a.yaml"));
  const { first, states } = await open(mount, context);
  assert.deepEqual(
    first.objects.map(({ origin }) => origin),
    [`${join(mount, "a.yaml")}:1`],
  );
  put("..2", "DISABLE");
  rmSync(join(mount, "..1"), { recursive: true });
  const [object] = (await states.next()).objects;
  assert.deepEqual(object?.manifest["spec"], { mtls: { mode: "DISABLE" } });
});

test("keeps everything while the directory is away, and says so; a new one in its place is watched", async (context) => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "resources");
  const { first, states } = await open(path, context, { pollMs: 30, quietMs: 10 });
  assert.deepEqual(
    first.problems.map(({ code, origin }) => [code, origin]),
    [["directory-unreadable", path]],
  );
  mkdirSync(path);
  writeFileSync(join(path, "a.yaml"), pa("a"));
  let state = await states.next();
  // It may be seen before its file is.
  if (state.objects.length === 0) state = await states.next();
  assert.deepEqual([namesOf(state), state.problems], [["a"], []]);
  renameSync(path, `${path}.old`);
  const away = await states.next();
  assert.deepEqual([namesOf(away), away.problems.length], [["a"], 1]);
  mkdirSync(`${path}.new`);
  writeFileSync(join(`${path}.new`, "b.yaml"), pa("b"));
  renameSync(`${path}.new`, path);
  const back = await states.next();
  assert.deepEqual([namesOf(back), back.problems], [["b"], []]);
});

test("ends with its signal", async (context) => {
  using directory = temporaryDirectory();
  const { states, ending } = await open(directory.path, context, { pollMs: 10, quietMs: 5 });
  ending.abort();
  writeFileSync(join(directory.path, "a.yaml"), pa("a"));
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.equal(states.unseen, 0);
});

test("sees what changes deeper down with its next look", async (context) => {
  using directory = temporaryDirectory();
  const below = join(directory.path, "below");
  mkdirSync(below);
  writeFileSync(join(below, "a.yaml"), pa("a"));
  const { states } = await open(directory.path, context);
  writeFileSync(join(below, "a.yaml"), pa("b"));
  assert.deepEqual(namesOf(await states.next()), ["b"]);
});

const nobody = 65_534;

/** Root may read everything. */
async function asNobody(directory: string, work: () => Promise<void>): Promise<void> {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) {
    chownSync(directory, nobody, nobody);
    process.seteuid?.(nobody);
  }
  try {
    await work();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

const unwatchable: Readonly<Record<string, (path: string) => void>> = {
  "a link that leads to itself": (path) => symlinkSync("below", path),
  "a directory that it may not read": (path) => mkdirSync(path, { mode: 0o000 }),
};
for (const [what, put] of Object.entries(unwatchable)) {
  test(`${what}, put into the directory, keeps everything and ends nothing`, async (context) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "below");
    writeFileSync(join(directory.path, "a.yaml"), pa("a"));
    const { states } = await open(directory.path, context);
    await asNobody(directory.path, async () => {
      put(path);
      const next = await states.next();
      assert.deepEqual(namesOf(next), ["a"]);
      assert.deepEqual(
        next.problems.map(({ code, text }) => [code, text.includes(path)]),
        [["directory-unreadable", true]],
      );
    });
  });
}
