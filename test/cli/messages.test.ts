/** What verbs say of a wrong word: the flag and the file that its reader can change, each once. */

import assert from "node:assert/strict";
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { REGISTRY } from "../../src/app/cli/registry.ts";
import { runCli } from "../../src/app/cli/run.ts";
import { TokenIssuer } from "../../src/app/dev/token-issuer.ts";
import { runVerb } from "../server/portcullis-process.ts";
import { OpensslPki } from "../support/openssl-pki.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());
const path = (name: string): string => join(temporary.path, name);
const file = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};

for (const verb of ["fetch", "validate"]) {
  it(`jwt ${verb} names the variable of the agent's socket once in its help`, async () => {
    const { stdout } = await runVerb(["help", "jwt", verb]);
    assert.equal(stdout.split("SPIFFE_ENDPOINT_SOCKET").length, 2, stdout);
  });
}

it("a path of the agent's socket must be absolute, and the error says so", async () => {
  const address = ["--workload-api", "run/agent.sock"];
  for (const verb of [
    ["jwt", "fetch", "--audience", "db"],
    ["svid", "fetch", "--out", path("out")],
  ]) {
    const { status, stderr } = await runVerb([...verb, ...address]);
    assert.equal(status, 1);
    assert.match(stderr, /^error: expected .*an absolute path.*, got "run\/agent\.sock"$/m);
  }
});

for (const isTty of [true, false]) {
  it(`token mint ends its line ${isTty ? "on a terminal" : "nowhere else"}`, async () => {
    const dataDir = path("dev");
    await TokenIssuer.open(dataDir);
    let out = "";
    const context = {
      stdout: { write: (text: string) => (out += text) },
      stderr: { write: () => {} },
      env: {},
      signal: new AbortController().signal,
      nowMs: Date.now,
      isTty,
      columns: 80,
      registry: REGISTRY,
    };
    const who = ["-n", "default", "-s", "web", "--data-dir", dataDir];
    assert.equal(await runCli(["token", "mint", ...who], context), 0);
    assert.equal(out.endsWith("\n"), isTty);
  });
}

describe("join-token create and status", () => {
  const verbs: readonly (readonly string[])[] = [
    ["status"],
    ["join-token", "create", "--spiffe-id", "spiffe://prod.example/vm/db"],
  ];
  for (const verb of verbs) {
    it(`${verb[0]} says of a directory without a server that it is the wrong one or not running`, async () => {
      const { status, stderr } = await runVerb([...verb, "--data-dir", path("missing")]);
      assert.equal(status, 1);
      assert.equal(
        stderr,
        `error: ${path("missing/endpoints.json")}: no server is running there\n` +
          "hint: is it the server's --data-dir, and does the server run?\n",
      );
    });

    const skip = process.geteuid?.() !== 0 && "needs root";
    it(`${verb[0]} says whose server it is, and how to ask it`, { skip }, async () => {
      const directory = path(`others-${verb[0]}`);
      mkdirSync(directory, { mode: 0o700 });
      const endpoints = join(directory, "endpoints.json");
      writeFileSync(endpoints, "{}", { mode: 0o600 });
      chownSync(endpoints, 65_534, 65_534);
      const { status, stderr } = await runVerb([...verb, "--data-dir", directory]);
      assert.equal(status, 1);
      assert.match(stderr, /the file is not ours: expected uid 0, got 65534\n/);
      assert.match(stderr, /\nhint: run it as that user: sudo -u '#65534' /);
    });
  }
});

describe("root import", () => {
  const pki = new OpensslPki(temporary.path);
  const root = pki.root("root");
  const stranger = pki.root("stranger");
  const middle = pki.under(root, "middle");
  const lower = pki.under(middle, "lower");
  const dir = pki.directory({ "ca-key.pem": lower.keyPem });
  const cases: readonly (readonly [string, string, string, RegExp])[] = [
    ["an intermediate is missing", lower.certPem, root.certPem, /^hint: .*--chain FILE/m],
    ["the root is an intermediate", lower.certPem, middle.certPem, /^hint: .*--root; .*--chain/m],
    [
      "the root is another",
      middle.certPem,
      stranger.certPem,
      /^hint: .*--chain FILE, or the root/m,
    ],
    ["another key was signed", middle.certPem, root.certPem, /^hint: .*the request.*\/ca\.csr\?/m],
  ];
  for (const [title, cert, rootPem, hint] of cases) {
    it(`names its own flags and files where ${title}`, async () => {
      const files = ["--cert", file("signed.pem", cert), "--root", file("root.pem", rootPem)];
      const { status, stderr } = await runVerb(["root", "import", "--dir", dir, ...files]);
      assert.equal(status, 1);
      assert.match(stderr, hint);
      assert.doesNotMatch(stderr, /cert-chain\.pem|ca-cert\.pem|root-cert\.pem/);
    });
  }
});
