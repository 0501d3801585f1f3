/** `mtls explain` and `mtls diff` as an operator sees them: by files, and by a server. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Registry } from "../../src/app/cli/command.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import { changeResources } from "../../src/edge/rpc/resource-client.ts";
import { openResourcesRig, rigNowMs } from "../policy-server/resources-rig.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const open = "test/policy/shop";
const strict = "test/policy/shop-strict";

const registry: Registry = [
  {
    path: ["mtls", "explain"],
    summary: "",
    load: async () => (await import("../../src/app/cli/verbs/mtls-explain.ts")).mtlsExplain,
  },
  {
    path: ["mtls", "diff"],
    summary: "",
    load: async () => (await import("../../src/app/cli/verbs/mtls-diff.ts")).mtlsDiff,
  },
];

interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(words: readonly string[]): Promise<Said> {
  let out = "";
  let err = "";
  const code = await runCli(words, {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    env: {},
    signal: new AbortController().signal,
    nowMs: () => rigNowMs,
    isTty: false,
    columns: 100,
    registry,
  });
  return { code, out, err };
}

/** `$ WORDS`, then what comes: lines of stderr begin with `2>`, and the code stands last unless it is 0. */
const transcripts = readFileSync(new URL("mtls.txt", import.meta.url), "utf8")
  .split(/^\$ /m)
  .slice(1);

for (const transcript of transcripts) {
  const [command = "", ...expected] = transcript.trimEnd().split("\n");
  test(`answers ${command}`, async () => {
    const { code, out, err } = await run(command.split(" "));
    const exit = code === 0 ? "" : `exit ${code}\n`;
    const said = `${out}${err.replaceAll(/^(?=.)/gm, "2> ")}${exit}`;
    assert.equal(said.trimEnd(), expected.join("\n"));
  });
}

test("decides by what a server has as by the same files, and asks it what applying others would do", async () => {
  using data = temporaryDirectory();
  await using rig = await openResourcesRig(data.path, "test/policy/shop");
  const at = ["--admin", rig.admin];
  const call = ["mtls", "explain", "web/cron", "api.shop.internal:80", "-o", "json"];
  const [served, offline] = [await run([...call, ...at]), await run([...call, "-f", open])];
  assert.deepEqual(served, offline);
  const policies = `${strict}/policies.yaml`;
  const diff = ["mtls", "diff", "-o", "json"];
  const asked = await run([...diff, "-f", policies, ...at]);
  const compared = await run([...diff, "-f", open, "-f", strict]);
  assert.equal(asked.code, 4);
  const parts = ({ out }: Said): unknown => {
    const { ports, calls, summary } = JSON.parse(out) as Record<string, unknown>;
    return { ports, calls, summary };
  };
  assert.deepEqual(parts(asked), parts(compared));
  const { objects } = parseManifests(readFileSync(policies, "utf8"), policies);
  const order = { remove: [], isDryRun: false, operator: "ada" };
  await changeResources(rig.admin, { apply: objects, ...order });
  const applied = await run([...diff, "-f", policies, ...at]);
  assert.equal(applied.code, 0, applied.out);
});
