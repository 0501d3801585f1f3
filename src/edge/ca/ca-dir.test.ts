import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { CaFilesError } from "../../core/ca/ca-files-error.ts";
import { readCaDir } from "./ca-dir.ts";

function write(directory: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}

describe("the files of a CA", () => {
  it("are the known ones, and of a key only the name", async () => {
    using temporary = temporaryDirectory();
    write(temporary.path, {
      "ca-cert.pem": "cert",
      "ca-key.pem": "key",
      "ca.csr": "csr",
      "root-cert.pem": "",
    });
    const { contents, keyFiles } = await readCaDir(temporary.path);
    assert.deepEqual([...contents.keys()], ["ca-cert.pem", "root-cert.pem"]);
    assert.deepEqual(keyFiles, ["ca-key.pem"]);
  });

  it("are of one generation of a mounted Secret, whichever is current", async () => {
    using temporary = temporaryDirectory();
    const { path } = temporary;
    for (const generation of ["1", "2"]) {
      write(join(path, `..${generation}`), { "ca-cert.pem": generation, "ca-key.pem": generation });
    }
    symlinkSync("..1", join(path, "..data"));
    for (const name of ["ca-cert.pem", "ca-key.pem"]) {
      symlinkSync(join("..data", name), join(path, name));
    }
    const first = await readCaDir(path);
    assert.equal(Buffer.from(first.contents.get("ca-cert.pem") ?? []).toString(), "1");
    symlinkSync("..2", join(path, "..tmp"));
    renameSync(join(path, "..tmp"), join(path, "..data"));
    const second = await readCaDir(path);
    assert.equal(Buffer.from(second.contents.get("ca-cert.pem") ?? []).toString(), "2");
    assert.notEqual(first.path, second.path);
    // The key is read from the generation of its certificate, or not at all.
    assert.match(first.path, /\.\.1$/);
  });

  type Refusal = readonly [string, (path: string) => void, string, string];
  const refused: readonly Refusal[] = [
    [
      "a directory that is not there",
      (path) => rmSync(path, { recursive: true }),
      "ca-files-missing",
      "",
    ],
    [
      "a directory in place of a file",
      (path) => mkdirSync(join(path, "ca-cert.pem")),
      "ca-files-unreadable",
      "ca-cert.pem",
    ],
    [
      "a link that leads nowhere",
      (path) => symlinkSync("nowhere", join(path, "ca-crl.pem")),
      "ca-files-unreadable",
      "ca-crl.pem",
    ],
    [
      "a directory that is a file",
      (path) => {
        rmSync(path, { recursive: true });
        writeFileSync(path, "");
      },
      "ca-files-unreadable",
      "",
    ],
    ...["ca-cert.pem", "cert-chain.pem", "root-cert.pem", "ca-crl.pem", "tls.crt", "ca.crt"].map(
      (name): Refusal => [
        `a FIFO in place of ${name}`,
        (path) => execFileSync("mkfifo", [join(path, name)]),
        "ca-files-unreadable",
        name,
      ],
    ),
    [
      "a file that is too large",
      (path) => {
        write(path, { "root-cert.pem": "" });
        truncateSync(join(path, "root-cert.pem"), 1_048_577);
      },
      "ca-file-too-large",
      "root-cert.pem",
    ],
  ];
  for (const [what, prepare, code, file] of refused) {
    it(`are not read from ${what}`, async () => {
      using temporary = temporaryDirectory();
      const path = join(temporary.path, "ca");
      mkdirSync(path);
      prepare(path);
      await assert.rejects(readCaDir(path), (error) => {
        assert.ok(error instanceof CaFilesError);
        assert.equal(error.code, code);
        assert.equal(error.file, file === "" ? path : file);
        // What it is, said once.
        assert.equal(error.message.split(error.file).length, 2, error.message);
        return true;
      });
    });
  }
});
