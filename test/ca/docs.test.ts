/** The recipe of docs/ca.md, pasted into a shell. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { ExitCode } from "../../src/app/cli/command.ts";
import { rootCsr } from "../../src/app/cli/verbs/root-csr.ts";
import { rootImport } from "../../src/app/cli/verbs/root-import.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { runVerb } from "./run-verb.ts";

it("the recipe for an offline root works as it is written", async () => {
  using temporary = temporaryDirectory();
  const path = (name: string): string => join(temporary.path, name);
  const manual = readFileSync(join(import.meta.dirname, "../../docs/ca.md"), "utf8");
  const recipe = /^cat > root\.cnf[^]*?(?=^```)/m.exec(manual)?.[0] ?? "";
  // Only the passphrase, which OpenSSL asks for, cannot be pasted.
  const unattended = recipe
    .replace("-aes-256-cbc", "-aes-256-cbc -pass pass:secret")
    .replace("-key root.key", "-key root.key -passin pass:secret")
    .replace("-CAkey root.key", "-CAkey root.key -passin pass:secret");
  const csrFlags = { out: path("ca"), "trust-domain": "prod.example" };
  const { out } = await runVerb(rootCsr, csrFlags, Date.now());
  writeFileSync(path("intermediate.csr"), out);
  execFileSync("bash", ["-e"], { cwd: temporary.path, input: unattended, stdio: "pipe" });
  const importFlags = { dir: path("ca"), cert: path("signed.pem"), root: path("root.pem") };
  const { code } = await runVerb(rootImport, importFlags, Date.now() + 1_000);
  assert.equal(code, ExitCode.ok);
});
