/** One wrong CA of a table, refused by its code and its file. */

import assert from "node:assert/strict";
import { it } from "node:test";
import { parseCaFiles } from "../../src/core/ca/ca-files.ts";
import { CaFilesError, type CaFilesErrorCode } from "../../src/core/ca/ca-files-error.ts";
import { caFiles, type PkiNode } from "../support/openssl-pki.ts";

export type Files = Readonly<Record<string, string>>;

export type Refusal = readonly [
  what: string,
  files: Files,
  code: CaFilesErrorCode,
  file: string,
  atMs?: number,
];

export const dayMs = 86_400_000;
/** Later than everything that OpenSSL makes here. */
export const nowMs: number = Date.now() + 3_600_000;

export const pem = (...nodes: readonly PkiNode[]): string =>
  nodes.map(({ certPem }) => certPem).join("");

export function assertRefused([what, files, code, file, atMs = nowMs]: Refusal): void {
  it(`refuses ${what}`, () => {
    assert.throws(
      () => parseCaFiles(caFiles(files), atMs),
      (error) => {
        assert.ok(error instanceof CaFilesError);
        assert.deepEqual([error.code, error.file], [code, file], error.message);
        return true;
      },
    );
  });
}
