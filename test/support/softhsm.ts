/**
 * A SoftHSM of this process's own, in a temporary directory. The module reads SOFTHSM2_CONF when it
 * is initialised, and sees the tokens of that moment: make one of these, its tokens and its keys
 * before the first signer is opened.
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import type { KeyObject } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { inspect } from "node:util";
import type { PKCS11 } from "pkcs11js";
import { Pkcs11Error, type Pkcs11ErrorCode } from "../../src/edge/pkcs11/pkcs11-error.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Debian, Fedora, Homebrew on arm64 and on x86-64. */
const modulePaths = [
  "/usr/lib/softhsm/libsofthsm2.so",
  "/usr/lib64/pkcs11/libsofthsm2.so",
  "/opt/homebrew/lib/softhsm/libsofthsm2.so",
  "/usr/local/lib/softhsm/libsofthsm2.so",
];

export const softHsmModule: string = modulePaths.find((path) => existsSync(path)) ?? "";

/** Why there can be no SoftHSM here: for `skip`. */
export function whyNoSoftHsm(): string | false {
  if (softHsmModule === "") return "SoftHSM is not installed (Debian's package: softhsm2)";
  try {
    createRequire(import.meta.url)("pkcs11js");
    return false;
  } catch {
    return "pkcs11js is not installed: its build needs a C++ compiler, make and Python";
  }
}

/**
 * The module itself, as another part of this process would use it: what it does, all sessions feel.
 */
export function loadSoftHsm(): PKCS11 {
  const { PKCS11 } = createRequire(import.meta.url)("pkcs11js") as typeof import("pkcs11js");
  const functions = new PKCS11();
  functions.load(softHsmModule);
  return functions;
}

export interface TokenKey {
  readonly label: string;
  /** Hexadecimal, of CKA_ID. */
  readonly id: string;
  readonly privateKey: KeyObject;
  /** False for a private key alone. */
  readonly withPublicKey?: boolean;
}

export class SoftHsm implements Disposable {
  readonly #directory = temporaryDirectory();
  readonly pin = "correct-horse-7";
  readonly pinFile: string;
  readonly tokenDirectory: string = join(this.#directory.path, "tokens");

  /** @param mechanisms SoftHSM's `slots.mechanisms` */
  constructor(mechanisms = "ALL") {
    mkdirSync(this.tokenDirectory);
    const configuration = join(this.#directory.path, "softhsm2.conf");
    writeFileSync(
      configuration,
      `directories.tokendir = ${this.tokenDirectory}\nobjectstore.backend = file\n` +
        `log.level = ERROR\nslots.mechanisms = ${mechanisms}\n`,
    );
    process.env["SOFTHSM2_CONF"] = configuration;
    this.pinFile = this.file("pin", `${this.pin}\n`);
  }

  initToken(label: string): void {
    const pins = ["--so-pin", "security-officer", "--pin", this.pin];
    softHsmUtil(["--init-token", "--free", "--label", label, ...pins]);
  }

  importKey(token: string, { label, id, privateKey, withPublicKey = true }: TokenKey): void {
    const pem = privateKey.export({ format: "pem", type: "pkcs8" });
    const file = this.file(`${token}-${id}.pem`, pem);
    const names = ["--token", token, "--label", label, "--id", id, "--pin", this.pin];
    const flags = withPublicKey ? [] : ["--no-public-key"];
    softHsmUtil(["--import", file, ...names, ...flags, "--force"]);
  }

  /** @returns its path; of mode 0600 unless told otherwise */
  file(name: string, content: string | Uint8Array, mode = 0o600): string {
    const path = join(this.#directory.path, name);
    writeFileSync(path, content, { mode });
    return path;
  }

  /** @param path of the URI: `token=ca;object=key` */
  uri(path: string, pinFile: string = this.pinFile): string {
    return `pkcs11:${path}?module-path=${softHsmModule}&pin-source=${pinFile}`;
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }
}

/** @returns the error, of which more is to be said */
export function assertPkcs11Error(code: Pkcs11ErrorCode, act: () => unknown): Pkcs11Error {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof Pkcs11Error, inspect(error));
    assert.equal(error.code, code, error.message);
    return error;
  }
  return assert.fail(`expected ${code}, got no error`);
}

function softHsmUtil(args: readonly string[]): void {
  execFileSync("softhsm2-util", args, { stdio: ["ignore", "pipe", "pipe"] });
}
