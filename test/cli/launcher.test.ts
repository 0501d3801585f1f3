/** `bin/portcullis` as a shell runs it, on small clones of its own. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { temporaryDirectory } from "../support/temporary-directory.ts";

const LAUNCHER = fileURLToPath(new URL("../../bin/portcullis", import.meta.url));
const SYSTEM_PATH = "/usr/bin:/bin";

/** A Node that only says how it was started. */
function fakeNode(version: string): string {
  return `#!/bin/sh
[ "$1" = -p ] && echo ${version} && exit
printf '%s\\n' "$@" "\${NODE_COMPILE_CACHE:-no cache}"
`;
}

function place(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o755 });
}

interface Clone extends Disposable {
  readonly root: string;
  readonly launcher: string;
}

function clone(files: Readonly<Record<string, string>>): Clone {
  const directory = temporaryDirectory();
  // A space in the path finds unquoted expansions.
  const root = join(directory.path, "the clone");
  mkdirSync(join(root, "bin"), { recursive: true });
  const launcher = join(root, "bin/portcullis");
  copyFileSync(LAUNCHER, launcher);
  for (const [path, text] of Object.entries(files)) place(join(root, path), text);
  return { root, launcher, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

function launch(
  launcher: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly lines: readonly string[]; readonly stderr: string; readonly status: number | null } {
  const result = spawnSync(launcher, args, {
    env: { PATH: SYSTEM_PATH, ...env },
    encoding: "utf8",
  });
  const lines = result.stdout.split("\n").slice(0, -1);
  return { lines, stderr: result.stderr, status: result.status };
}

const NODE = "node_modules/node/bin/node";
const SOURCE = "src/app/cli/main.ts";
const BUILT = "dist/app/cli/main.js";

test("runs the sources of a clone with the clone's own Node, whatever dist holds", () => {
  using home = temporaryDirectory();
  using it = clone({ [NODE]: fakeNode("26"), [SOURCE]: "", [BUILT]: "" });
  const { lines } = launch(it.launcher, ["status", "a b", ""], { HOME: home.path });
  const cache = join(home.path, ".cache/portcullis/compile");
  assert.deepEqual(lines, [join(it.root, SOURCE), "status", "a b", "", cache]);
});

test("runs dist where there are no sources", () => {
  using it = clone({ [NODE]: fakeNode("26"), [BUILT]: "" });
  assert.equal(launch(it.launcher, []).lines[0], join(it.root, BUILT));
});

test("finds the clone through links, relative and absolute", () => {
  using it = clone({ [NODE]: fakeNode("26"), [SOURCE]: "" });
  using elsewhere = temporaryDirectory();
  symlinkSync(it.launcher, join(elsewhere.path, "absolute"));
  symlinkSync("absolute", join(elsewhere.path, "relative"));
  for (const link of ["absolute", "relative"]) {
    assert.equal(launch(join(elsewhere.path, link), []).lines[0], join(it.root, SOURCE));
  }
  const byPath = launch("relative", [], { PATH: `${elsewhere.path}:${SYSTEM_PATH}` });
  assert.equal(byPath.lines[0], join(it.root, SOURCE));
});

test("gives long-lived processes their V8 flags, and no others", () => {
  using it = clone({ [NODE]: fakeNode("26"), [SOURCE]: "" });
  for (const [verb, want] of [
    ["server", true],
    ["dev", true],
    ["agent", true],
    ["status", false],
  ] as const) {
    const [first = ""] = launch(it.launcher, [verb]).lines;
    assert.equal(first.startsWith("--max-semi-space-size="), want, verb);
  }
});

test("falls back to a Node on PATH that is new enough", () => {
  using it = clone({ "path/node": fakeNode("26"), [SOURCE]: "" });
  const PATH = `${join(it.root, "path")}:${SYSTEM_PATH}`;
  assert.equal(launch(it.launcher, [], { PATH }).lines[0], join(it.root, SOURCE));
});

test("refuses a Node that is too old, and the lack of one, with the way out", () => {
  using it = clone({ "path/node": fakeNode("24"), "empty/node.txt": "", [SOURCE]: "" });
  const PATH = `${join(it.root, "path")}:${SYSTEM_PATH}`;
  const old = launch(it.launcher, [], { PATH });
  assert.equal(old.status, 1);
  assert.match(old.stderr, /^error: expected node 26 or later, got 24 .*\nhint: run npm ci in /);
  const tools = temporaryDirectory();
  for (const tool of ["sh", "readlink"]) symlinkSync(`/bin/${tool}`, join(tools.path, tool));
  const none = launch(it.launcher, [], { PATH: tools.path });
  tools[Symbol.dispose]();
  assert.equal(none.status, 1);
  assert.match(none.stderr, /^error: no node was found\nhint: run npm ci in /);
});

test("caches compiled code where it may, and starts all the same where it may not", () => {
  using it = clone({ [NODE]: fakeNode("26"), [SOURCE]: "", file: "" });
  const cacheOf = (env: Readonly<Record<string, string>>) => {
    return launch(it.launcher, [], env).lines.at(-1);
  };
  assert.equal(cacheOf({ NODE_COMPILE_CACHE: "/mine" }), "/mine");
  assert.equal(
    cacheOf({ XDG_CACHE_HOME: join(it.root, "xdg") }),
    join(it.root, "xdg/portcullis/compile"),
  );
  assert.equal(cacheOf({ XDG_CACHE_HOME: join(it.root, "file") }), "no cache");
  assert.equal(cacheOf({}), "no cache");
});

test("ends quietly when nobody reads the output any more", () => {
  const script = '{ "$0" completion bash; echo "$?" >&2; } | true';
  const { stderr } = spawnSync("sh", ["-c", script, LAUNCHER], { encoding: "utf8" });
  assert.equal(stderr, "0\n");
});

test("says so when the output cannot be written", { skip: !existsSync("/dev/full") }, () => {
  const script = '"$0" version >/dev/full';
  const { stderr, status } = spawnSync("sh", ["-c", script, LAUNCHER], { encoding: "utf8" });
  assert.match(stderr, /^error: cannot write the output: ENOSPC/);
  assert.equal(status, 1);
});
