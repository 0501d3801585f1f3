import assert from "node:assert/strict";
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { interceptDurable } from "../store/durable.ts";
import { writeFileAtomic } from "./private-files.ts";
import { removeRemains } from "./remains.ts";

const hex = "0123456789abcdef";

/** As a process leaves it that is killed before the rename. @returns the name of what is left */
async function leaveRemains(directory: string, name: string): Promise<string> {
  let remains: readonly string[] = [];
  interceptDurable(() => {
    remains = readdirSync(directory).filter((each) => each.includes(`.${name}.`));
    throw new Error("killed");
  });
  await writeFileAtomic(join(directory, name), Buffer.from("key"), 0o600).catch(() => {});
  interceptDurable(undefined);
  const [left = ""] = remains;
  writeFileSync(join(directory, left), "key");
  return left;
}

test("removes what a write left that was cut short, of the files that are named, and nothing else", async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  const others = [
    "root.pem",
    `.other.pem.${hex}.tmp`,
    `.root.pem.${hex}0.tmp`,
    `.root.pem.${hex.toUpperCase()}.tmp`,
    `.root.pem.${hex}.tmp.old`,
    `root.pem.${hex}.tmp`,
    `.root-pem.${hex}.tmp`,
  ];
  const left = await leaveRemains(path, "root.pem");
  for (const name of others) writeFileSync(join(path, name), "precious");
  assert.match(left, /^\.root\.pem\.[0-9a-f]{16}\.tmp$/);
  await removeRemains(path, ["root.pem"]);
  assert.deepEqual(readdirSync(path).toSorted(), others.toSorted());
});

test("removes those of all files where a directory is ours alone", async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  await leaveRemains(path, "a.json");
  await leaveRemains(path, "b");
  writeFileSync(join(path, "a.json"), "{}");
  await removeRemains(path);
  assert.deepEqual(readdirSync(path), ["a.json"]);
});

test("removes a link and not what it names, and leaves a directory", async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  writeFileSync(join(path, "precious"), "");
  symlinkSync(join(path, "precious"), join(path, `.a.${hex}.tmp`));
  mkdirSync(join(path, `.b.${hex}.tmp`));
  await removeRemains(path);
  assert.deepEqual(readdirSync(path).toSorted(), [`.b.${hex}.tmp`, "precious"]);
});
