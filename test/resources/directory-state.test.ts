import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterFailure,
  afterLook,
  memoryAtStart,
  type DirectoryMemory,
} from "../../src/edge/resources/directory-state.ts";

const pa = (name: string, mode = "STRICT"): string =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: ${name}}\nspec: {mtls: {mode: ${mode}}}\n`;

const emptyMemory = memoryAtStart([]);
/** Of a process that goes on where another one has ended. */
const restarted = ({ state }: DirectoryMemory) => memoryAtStart(state.objects);

type Files = Readonly<Record<string, string | undefined | { readonly failure: string }>>;

/** undefined: as it was. */
function look(memory: DirectoryMemory, files: Files, identity = "1"): DirectoryMemory {
  const seen = Object.entries(files).map(([path, of]) => ({
    path,
    version: typeof of === "string" ? of : "-",
    content: typeof of === "string" ? { text: of } : of,
  }));
  return afterLook(memory, { path: "d", identity, files: seen });
}

const said = ({ state }: DirectoryMemory): readonly string[] =>
  state.objects.map(({ object, manifest, origin }) => {
    return `${origin} ${object.object.ref.name} ${JSON.stringify(manifest["spec"])}`;
  });
const modeOf = (name: string, mode: string, line = 1, file = `d/${name}.yaml`) =>
  `${file}:${line} ${name} {"mtls":{"mode":"${mode}"}}`;
const problemsOf = ({ state }: DirectoryMemory): readonly string[] =>
  state.problems.map(({ severity, code, origin }) => `${severity} ${code} ${origin}`);

test("a bad file keeps what it said last, all of it, and is named; another one changes", () => {
  const first = look(emptyMemory, { "d/a.yaml": `${pa("a")}---\n${pa("b")}`, "d/c.yaml": pa("c") });
  const bad = `${pa("a", "DISABLE")}---\n${pa("b", "STRCT")}`;
  const next = look(first, { "d/a.yaml": bad, "d/c.yaml": pa("c", "DISABLE") });
  const [a, b] = [modeOf("a", "STRICT"), modeOf("b", "STRICT", 6, "d/a.yaml")];
  assert.deepEqual(said(next), [a, b, modeOf("c", "DISABLE")]);
  assert.deepEqual(problemsOf(next), ["error invalid-value d/a.yaml:9"]);
  const again = look(next, { "d/a.yaml": undefined, "d/c.yaml": undefined });
  assert.deepEqual(again.state, next.state);
  const mended = look(again, { "d/a.yaml": pa("a", "DISABLE"), "d/c.yaml": undefined });
  assert.deepEqual(said(mended), [modeOf("a", "DISABLE"), modeOf("c", "DISABLE")]);
  assert.deepEqual(problemsOf(mended), []);
});

test("a file that was never good says nothing", () => {
  const first = look(emptyMemory, { "d/a.yaml": `${pa("a")}---\n${pa("b", "no")}` });
  assert.deepEqual(said(first), []);
  assert.deepEqual(problemsOf(first), ["error invalid-value d/a.yaml:9"]);
});

test("a file that is gone takes its objects away, a bad one too", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a"), "d/b.yaml": pa("b") });
  const bad = look(first, { "d/a.yaml": "{", "d/b.yaml": undefined });
  assert.deepEqual(said(look(bad, { "d/b.yaml": undefined })), [modeOf("b", "STRICT")]);
  assert.deepEqual(said(look(bad, {})), []);
});

test("a file that cannot be read keeps what it said, and is read again", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a") });
  const next = look(first, { "d/a.yaml": { failure: "permission denied" } });
  assert.deepEqual(said(next), [modeOf("a", "STRICT")]);
  assert.deepEqual(problemsOf(next), ["error file-unreadable d/a.yaml"]);
  assert.equal(next.files.get("d/a.yaml")?.version, undefined);
});

test("of an object in two files, the first by path holds, and the problem names both", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("x"), "d/b.yaml": pa("x", "DISABLE") });
  assert.deepEqual(said(first), [modeOf("x", "STRICT", 1, "d/a.yaml")]);
  assert.deepEqual(problemsOf(first), ["error duplicate-object d/b.yaml:1"]);
  assert.match(first.state.problems[0]?.text ?? "", /d\/a\.yaml:1/);
  const next = look(first, { "d/b.yaml": undefined });
  assert.deepEqual(said(next), [modeOf("x", "DISABLE", 1, "d/b.yaml")]);
});

test("an object in a second file is the second one's fault, wherever that sorts", () => {
  const first = look(emptyMemory, { "d/b.yaml": pa("x") });
  const next = look(first, { "d/a.yaml": pa("x", "DISABLE"), "d/b.yaml": undefined });
  assert.deepEqual(said(next), [modeOf("x", "STRICT", 1, "d/b.yaml")]);
  assert.deepEqual(problemsOf(next), ["error duplicate-object d/a.yaml:1"]);
  const moved = look(next, { "d/a.yaml": undefined });
  assert.deepEqual(said(moved), [modeOf("x", "DISABLE", 1, "d/a.yaml")]);
});

test("a file that is suddenly empty keeps what it said: an editor may be about to write it", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a") });
  const next = look(first, { "d/a.yaml": " \n" });
  assert.deepEqual(said(next), [modeOf("a", "STRICT")]);
  assert.deepEqual(problemsOf(next), ["error file-emptied d/a.yaml"]);
  assert.deepEqual(said(look(next, { "d/a.yaml": "# nothing any more\n" })), []);
});

test("a directory that cannot be read keeps everything, and says so once", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a") });
  const lost = afterFailure(afterFailure(first, "d", "no such file"), "d", "no such file");
  assert.deepEqual(said(lost), [modeOf("a", "STRICT")]);
  assert.deepEqual(problemsOf(lost), ["error directory-unreadable d"]);
  assert.deepEqual(problemsOf(look(lost, { "d/a.yaml": undefined })), []);
});

test("an empty directory in the place of the one that was there keeps everything", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a") });
  const other = look(first, {}, "2");
  assert.deepEqual(said(other), [modeOf("a", "STRICT")]);
  assert.deepEqual(problemsOf(other), ["error directory-unreadable d"]);
  assert.deepEqual(said(look(other, { "d/b.yaml": pa("b") }, "3")), [modeOf("b", "STRICT")]);
});

test("an empty directory at a start is believed only where nothing was held", () => {
  const fresh = look(emptyMemory, {});
  assert.deepEqual(problemsOf(fresh), []);
  const start = restarted(look(emptyMemory, { "d/x.yaml": pa("x"), "d/y.yaml": pa("y") }));
  const held = look(look(start, {}), {});
  assert.deepEqual(said(held), [modeOf("x", "STRICT"), modeOf("y", "STRICT")]);
  assert.deepEqual(problemsOf(held), ["error directory-unreadable d"]);
  assert.match(held.state.problems[0]?.hint ?? "", /the 2 objects hold .* file without objects/);
  for (const [file, objects] of [
    ["d/a.yaml", pa("a")],
    ["d/empty.yaml", ""],
  ] as const) {
    const next = look(held, { [file]: objects });
    assert.deepEqual(said(next), objects === "" ? [] : [modeOf("a", "STRICT")]);
    assert.deepEqual(problemsOf(next), []);
    const none = look(next, {});
    assert.deepEqual([said(none), problemsOf(none)], [[], []], "whoever sees it go believes it");
  }
});

test("what was read before a start holds until the directory has been read, and no longer", () => {
  const start = restarted(look(emptyMemory, { "d/x.yaml": pa("x") }));
  const many = (name: string) => Array.from({ length: 5_001 }, (_, i) => pa(`${name}${i}`));
  const tooLarge = look(start, {
    "d/a.yaml": many("a").join("---\n"),
    "d/b.yaml": many("b").join("---\n"),
  });
  const failed = afterFailure(start, "d", "no such file");
  assert.deepEqual(
    [said(tooLarge), said(failed)],
    [[modeOf("x", "STRICT")], [modeOf("x", "STRICT")]],
  );
  const read = look(failed, { "d/a.yaml": pa("a") });
  assert.deepEqual(said(read), [modeOf("a", "STRICT")]);
});

test("more objects than are taken change nothing", () => {
  const first = look(emptyMemory, { "d/a.yaml": pa("a") });
  const many = (from: number) =>
    Array.from({ length: 5_001 }, (_, i) => pa(`p${from + i}`)).join("---\n");
  const next = look(first, { "d/a.yaml": many(0), "d/b.yaml": many(9_000) });
  assert.deepEqual(said(next), [modeOf("a", "STRICT")]);
  assert.deepEqual(problemsOf(next), ["error too-large d"]);
});
