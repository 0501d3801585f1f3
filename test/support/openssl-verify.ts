/** OpenSSL's word on certificates of ours. */

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePem } from "../../src/core/x509/pem.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/**
 * Throws with OpenSSL's message unless it accepts every leaf under the root, by the letter of
 * RFC 5280 (`-x509_strict`).
 */
export function opensslVerify(
  root: Uint8Array,
  leaves: readonly Uint8Array[],
  nowMs: number,
  args: readonly string[] = [],
): void {
  using directory = temporaryDirectory();
  const rootFile = join(directory.path, "root.pem");
  writeFileSync(rootFile, encodePem(root, "CERTIFICATE"));
  const files = leaves.map((leaf, index) => {
    const file = join(directory.path, `leaf-${index}.pem`);
    writeFileSync(file, encodePem(leaf, "CERTIFICATE"));
    return file;
  });
  const time = ["-attime", String(Math.floor(nowMs / 1_000))];
  execFileSync(
    "openssl",
    ["verify", "-x509_strict", ...time, ...args, "-CAfile", rootFile, ...files],
    {
      stdio: "pipe",
    },
  );
}
