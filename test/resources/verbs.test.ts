import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";

import type { Registry } from "../../src/app/cli/command.ts";
import { loadResourceFiles, ManifestsError } from "../../src/app/cli/resource-files.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { policyImport } from "../../src/app/cli/verbs/policy-import.ts";
import { validate } from "../../src/app/cli/verbs/validate.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const registry: Registry = [
  { path: ["validate"], summary: "Validate", load: async () => validate },
  { path: ["policy", "import"], summary: "Import", load: async () => policyImport },
];

async function run(...argv: readonly string[]) {
  const written = { stdout: "", stderr: "" };
  const sink = (name: keyof typeof written) => ({
    write: (more: string) => (written[name] += more),
  });
  const code = await runCli(argv, {
    stdout: sink("stdout"),
    stderr: sink("stderr"),
    env: {},
    signal: new AbortController().signal,
    nowMs: () => 0,
    isTty: false,
    columns: 80,
    registry,
  });
  return { code, ...written };
}

const pa = (name: string, spec = "{mtls: {mode: STRICT}}"): string =>
  `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: ${name}, namespace: shop, creationTimestamp: '2026-01-31T12:00:00Z'}\nspec: ${spec}\n`;

test("validate says 0 for what is good, 3 for warnings, 4 for errors, and where", async () => {
  using directory = temporaryDirectory();
  const put = (name: string, content: string): string => {
    const path = join(directory.path, name);
    writeFileSync(path, content);
    return path;
  };
  const good = put("good.yaml", pa("a"));
  assert.deepEqual(await run("validate", "-f", good), {
    code: 0,
    stdout: "1 object: 0 errors, 0 warnings\n",
    stderr: "",
  });
  const idle = put("idle.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n");
  const warned = await run("validate", "-f", good, "-f", idle);
  assert.equal(warned.code, 3);
  assert.match(
    warned.stdout,
    /warning +kind-without-effect +\S+idle\.yaml:2 +- +kind +Deployment \(apps\/v1\) is without effect here/,
  );
  const bad = put("bad.yaml", pa("b", "{mtls: {mode: STRCT}}"));
  const refused = await run("validate", "-f", directory.path, "-o", "json");
  assert.equal(refused.code, 4);
  const { objects, errors, warnings, findings } = JSON.parse(refused.stdout) as {
    readonly objects: number;
    readonly errors: number;
    readonly warnings: number;
    readonly findings: readonly Readonly<Record<string, unknown>>[];
  };
  assert.deepEqual([objects, errors, warnings], [1, 1, 1]);
  assert.deepEqual(findings[0], {
    severity: "error",
    code: "invalid-value",
    object: { kind: "PeerAuthentication", namespace: "shop", name: "b" },
    origin: `${bad}:4`,
    path: "spec.mtls.mode",
    text: 'expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "STRCT", did you mean "STRICT"',
    hint: "",
  });
});

test("validate says what the mesh's policies leave open, with file and line", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "a.yaml");
  writeFileSync(path, `${pa("a")}---\n${pa("b")}`);
  const { code, stdout } = await run("validate", "-f", path);
  assert.equal(code, 3);
  assert.match(
    stdout,
    new RegExp(`warning +tie-decided-by-name +${path}:6 +PeerAuthentication shop/b`),
  );
});

test("validate refuses what cannot be read", async () => {
  assert.equal((await run("validate", "-f", "/nowhere.yaml")).code, 1);
});

test("an object in two files is an error that names both; who needs all of them gets none", async () => {
  using directory = temporaryDirectory();
  mkdirSync(join(directory.path, "d"));
  writeFileSync(join(directory.path, "d/b.yaml"), pa("a"));
  writeFileSync(join(directory.path, "a.yaml"), pa("a"));
  const { signal } = new AbortController();
  const paths = [join(directory.path, "a.yaml"), join(directory.path, "d")];
  await assert.rejects(loadResourceFiles(paths, { signal }), (error) => {
    assert(error instanceof ManifestsError);
    assert.match(
      error.message,
      /d\/b\.yaml:1: expected each object once, got that of .*\/a\.yaml:1 again/,
    );
    return true;
  });
});

test("- is stdin", async () => {
  const script = `
    import { runCli } from "${new URL("../../src/app/cli/run.ts", import.meta.url).href}";
    import { validate } from "${new URL("../../src/app/cli/verbs/validate.ts", import.meta.url).href}";
    process.exitCode = await runCli(["validate", "-f", "-", "-o", "json"], {
      stdout: process.stdout, stderr: process.stderr, env: {}, signal: new AbortController().signal,
      nowMs: () => 0, isTty: false, columns: 80,
      registry: [{ path: ["validate"], summary: "Validate", load: async () => validate }],
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script]);
  child.stdin.end(pa("a", "1"));
  const [stdout, code] = await Promise.all([
    text(child.stdout),
    new Promise((resolve) => child.once("exit", resolve)),
  ]);
  assert.equal(code, 4);
  assert.match(stdout, /"origin": "stdin:4"/);
});

test("policy import prints today's manifests with their origin, and 3 where a line was lost", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "old.yaml");
  const old =
    "apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\nspec: {peers: [{mtls: }]}\n";
  writeFileSync(path, old);
  assert.deepEqual(await run("policy", "import", "-f", path, "--root-namespace", "root"), {
    code: 0,
    stdout: `# from ${path}:1\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: root\nspec:\n  mtls:\n    mode: STRICT\n`,
    stderr: "",
  });
  writeFileSync(path, `${old.trimEnd().slice(0, -1)}, origins: [{jwt: {}}]}\n`);
  const lost = await run("policy", "import", "-f", path);
  assert.equal(lost.code, 3);
  assert.equal(
    lost.stderr,
    `not carried over: ${path}:4: spec.origins: JWTs of end users are not looked at\n`,
  );
});
