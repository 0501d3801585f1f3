import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nextLines, nextOf, wrapNext } from "./next-commands.ts";

const target = { address: "", flagText: " --data-dir '/srv/my mesh'" };
const nowMs = Date.UTC(2026, 10, 29, 12);

describe("what may be done next", () => {
  const hint =
    "who they are: portcullis root status --all; wait until 2026-11-29T15:00:00Z; portcullis root retire";

  it("is a command with the flags that led there, or why, or both", () => {
    assert.deepEqual(nextOf(target, hint), [
      {
        command: "portcullis root status --data-dir '/srv/my mesh' --all",
        why: "who they are",
      },
      { command: "", why: "wait until 2026-11-29T15:00:00Z" },
      { command: "portcullis root retire --data-dir '/srv/my mesh'", why: "" },
    ]);
  });

  it("is a line for each, at whose end the command is", () => {
    assert.deepEqual(nextLines("next", nextOf(target, hint), nowMs).split("\n"), [
      "next: who they are: portcullis root status --data-dir '/srv/my mesh' --all",
      "next: wait until in 3h",
      "next: portcullis root retire --data-dir '/srv/my mesh'",
      "",
    ]);
  });

  it("is nothing where nothing is said", () => assert.deepEqual(nextOf(target, ""), []));

  it("breaks its words in a narrow terminal, and never a command", () => {
    const lines = nextOf(target, hint).flatMap((each) => wrapNext(each, 20, nowMs));
    assert.deepEqual(lines, [
      "who they are:",
      "portcullis root status --data-dir '/srv/my mesh' --all",
      "wait until in 3h",
      "portcullis root retire --data-dir '/srv/my mesh'",
    ]);
  });
});
