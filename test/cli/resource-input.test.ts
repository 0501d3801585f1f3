/** What verbs say of manifests that nobody can mean, and where a server's problems stand. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { openResourcesRig, peerYaml } from "../policy-server/resources-rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());

function file(name: string, text: string): string {
  const path = join(temporary.path, name);
  writeFileSync(path, text);
  return path;
}

async function run(...argv: readonly string[]) {
  let out = "";
  let err = "";
  const code = await runCli(argv, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: Date.now,
    isTty: false,
    columns: 80,
    registry: REGISTRY,
  });
  return { code, out, err };
}

const empty = file("empty.yaml", "# nothing\n---\n");
const directory = join(temporary.path, "directory");
mkdirSync(directory);
const strict = file("strict.yaml", peerYaml("shop/default", "STRICT"));

describe("manifests without an object are an error, and named:", () => {
  const verbs = [
    ["validate"],
    ["apply"],
    ["delete"],
    ["diff"],
    ["mtls", "diff"],
    ["mtls", "diff", "-f", strict],
    ["policy", "import"],
  ];
  for (const verb of verbs) {
    it(verb.slice(0, 2).join(" ") + (verb.length > 2 ? ", of the second" : ""), async () => {
      for (const path of [empty, directory]) {
        const { code, out, err } = await run(...verb, "-f", path);
        assert.deepEqual([code, out], [1, ""]);
        assert.ok(err.startsWith(`error: no objects in ${path}\nhint: -f takes manifests: `), err);
      }
    });
  }
});

it("validates one good file beside an empty one", async () => {
  assert.equal((await run("validate", "-f", empty, "-f", strict)).code, 0);
});

describe("policy import carries nothing over of what is no manifest", () => {
  const cases = [
    ["is no YAML", "a: [1\nb: }", /^error: \S+bad\.yaml:\d+: \S.*\n$/],
    ["is a text", "not found\n", /^error: \S+bad\.yaml:1: expected an object of Kubernetes/],
  ] as const;
  for (const [what, text, said] of cases) {
    it(`and ${what}, and names file and line`, async () => {
      const { code, out, err } = await run(
        "policy",
        "import",
        "-f",
        strict,
        "-f",
        file("bad.yaml", text),
      );
      assert.deepEqual([code, out], [1, ""]);
      assert.match(err, said);
    });
  }
});

it("a problem of the server's directory stands in its place, of a bad file and of what was applied in vain", async () => {
  using data = temporaryDirectory();
  using resources = temporaryDirectory();
  const bad = join(resources.path, "bad.yaml");
  writeFileSync(bad, peerYaml("shop/bad", "OFF"));
  const good = join(resources.path, "good.yaml");
  {
    await using rig = await openResourcesRig(data.path);
    await run("apply", "-f", strict, "--admin", rig.admin);
  }
  writeFileSync(good, peerYaml("shop/default", "STRICT"));
  await using rig = await openResourcesRig(data.path, resources.path);
  const { code, out } = await run("validate", "-o", "json", "--admin", rig.admin);
  assert.equal(code, 4);
  const found: readonly {
    readonly code: string;
    readonly origin: string;
    readonly text: string;
  }[] = JSON.parse(out).findings;
  const of = (wanted: string) => found.find((each) => each.code === wanted);
  assert.equal(of("invalid-value")?.origin.replace(/:\d+$/, ""), bad);
  assert.match(of("invalid-value")?.text ?? "", /^expected one of/);
  assert.equal(of("applied-hidden")?.origin, "");
  const { err } = await run("get", "-A", "--admin", rig.admin);
  assert.match(
    err,
    /^warning: \S+bad\.yaml:\d+: PeerAuthentication shop\/bad: spec\.mtls\.mode: expected one of/m,
  );
});
