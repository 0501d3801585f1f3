/** The units of deploy/systemd: systemd understands them, and the verbs understand what they say. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { REGISTRY } from "../src/app/cli/registry.ts";
import { temporaryDirectory } from "./support/temporary-directory.ts";

const root = join(import.meta.dirname, "..");
const installed = "/opt/portcullis";
const units = globSync(join(root, "deploy/systemd/*.service"));
const analyze = "systemd-analyze";
const isInstalled = spawnSync(analyze, ["--version"]).status === 0;
const skip = isInstalled ? false : `there is no ${analyze} here`;

test("there is a unit for the server and one for the agent", () => {
  const names = units.map((unit) => basename(unit)).toSorted();
  assert.deepEqual(names, ["portcullis-agent.service", "portcullis-server.service"]);
});

for (const unit of units) {
  const name = basename(unit);
  const text = readFileSync(unit, "utf8");

  test(`${name} is one that systemd finds nothing wrong with`, { skip }, () => {
    using directory = temporaryDirectory();
    const copy = join(directory.path, name);
    writeFileSync(copy, text.replaceAll(installed, root));
    const { status, stderr } = spawnSync(analyze, ["verify", copy], { encoding: "utf8" });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  });

  test(`${name} starts a verb with flags that it has, and all that it requires`, async () => {
    const [program, word = "", ...args] = execStart(text);
    assert.equal(program, `${installed}/bin/portcullis`);
    const verb = REGISTRY.find(({ path }) => path.join(" ") === word);
    assert(verb !== undefined, word);
    const { flags } = await verb.load();
    const given = args.filter((arg) => arg.startsWith("--")).map((flag) => flag.slice(2));
    assert(given.length > 0);
    const unknown = given.filter((flag) => !Object.hasOwn(flags, flag));
    assert.deepEqual(unknown, []);
    const missing = Object.entries(flags).flatMap(([flag, description]) => {
      const isRequired = "required" in description && description.required;
      return isRequired && !given.includes(flag) ? [flag] : [];
    });
    assert.deepEqual(missing, []);
  });

  test(`${name} names papers that are there`, () => {
    const [, path = ""] = /^Documentation=file:(.+)$/m.exec(text) ?? [];
    assert(path.startsWith(`${installed}/`), path);
    assert(existsSync(path.replace(installed, root)), path);
  });
}

function execStart(text: string): readonly string[] {
  const [, line = ""] = /^ExecStart=((?:.*\\\n)*.*)$/m.exec(text) ?? [];
  return line.replaceAll("\\\n", " ").trim().split(/\s+/);
}
