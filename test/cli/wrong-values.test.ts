/** What verbs say of a value that cannot be: the flag, what is wrong, and the exit code of a usage error. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { runVerb } from "../server/portcullis-process.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const temporary = temporaryDirectory();
after(() => temporary[Symbol.dispose]());

describe("a directory that cannot be made, below a parent that is there", () => {
  const cases: readonly (readonly [string, number, readonly string[], RegExp])[] = [
    [
      "root csr",
      1,
      ["--out", "/proc/portcullis", "--trust-domain", "prod.example"],
      /^error: \/proc\/portcullis: no such file or directory$/m,
    ],
    [
      "svid fetch",
      2,
      ["--out", "/proc/portcullis", "--workload-api", "/run/agent.sock"],
      /^error: --out: cannot make the directory \/proc\/portcullis: no such file or directory$/m,
    ],
  ];
  for (const [verb, status, flags, said] of cases) {
    it(`ends ${verb} with an error`, { timeout: 10_000 }, async () => {
      const outcome = await runVerb([...verb.split(" "), ...flags]);
      assert.match(outcome.stderr, said);
      assert.equal(outcome.status, status);
    });
  }
});

describe("join-token create", () => {
  for (const ttl of ["25h", "0s"]) {
    it(`refuses --ttl ${ttl} as a usage error, before it asks a server`, async () => {
      const id = "spiffe://prod.example/vm/db";
      const dataDir = join(temporary.path, "missing");
      const flags = ["--spiffe-id", id, "--ttl", ttl, "--data-dir", dataDir];
      const outcome = await runVerb(["join-token", "create", ...flags]);
      assert.match(outcome.stderr, /^error: --ttl: expected /);
      assert.equal(outcome.status, 2);
    });
  }
});

describe("envoy bootstrap", () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["inbound", "127.0.0.1:0=127.0.0.1:8080", /^error: --inbound: .*127\.0\.0\.1:0"$/m],
    ["inbound", "localhost:1=127.0.0.1:2", /^error: --inbound: expected an IP address.*\nhint: /],
    ["outbound", "127.0.0.1:1=db:2", /^error: --outbound: expected LISTEN=HOST:PORT@SPIFFE_ID/],
    ["outbound", "127.0.0.1:1=db:2@x", /^error: --outbound: .*spiffe/],
    ["label", "app", /^error: --label: expected KEY=VALUE, got "app"/],
    ["label", `app=${"x".repeat(64)}`, /^error: --label: expected KEY=VALUE/],
  ];
  for (const [flag, value, said] of cases) {
    it(`names the flag of --${flag} ${value}, as a usage error`, async () => {
      const needed = ["--sds-socket", "/a.sock", "--admin-socket", "/b.sock", "--node-id", "a"];
      const outcome = await runVerb(["envoy", "bootstrap", ...needed, `--${flag}`, value]);
      assert.match(outcome.stderr, said);
      assert.equal(outcome.status, 2);
    });
  }
});
