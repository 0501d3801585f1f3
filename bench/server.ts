/** The server under test: `portcullis dev` as a user would start it, on a directory of its own. */

import { spawn, type ChildProcess } from "node:child_process";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { waitForEndpoints } from "../src/edge/config/endpoints.ts";

const launcher = join(import.meta.dirname, "../bin/portcullis");

/** Those of the launcher. */
const longLivedFlags = ["--max-semi-space-size=4", "--heap-growing-percent=30"];

export interface DevIssuer {
  readonly signingKey: KeyObject;
  readonly keyId: string;
}

export class BenchServer implements AsyncDisposable {
  readonly pid: number;
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.address = address;
  }

  /** Its log goes to a file, since writing it is a part of what a certificate costs. */
  static async start(dataDir: string, signal: AbortSignal, port = 0): Promise<BenchServer> {
    const log = openSync(join(dataDir, "..", "server.log"), "a", 0o600);
    const child = spawn(
      launcher,
      [
        "dev",
        "--data-dir",
        dataDir,
        "--listen",
        `127.0.0.1:${port}`,
        "--metrics-listen",
        "127.0.0.1:0",
      ],
      { stdio: ["ignore", log, log] },
    );
    const { ca } = await waitForEndpoints(dataDir, { timeoutMs: 20_000, signal });
    return new BenchServer(child, ca);
  }

  /** `floor-server.ts` on a directory whose server does not run. */
  static async startFloor(dataDir: string): Promise<BenchServer> {
    const script = join(import.meta.dirname, "floor-server.ts");
    const args = [...longLivedFlags, script, dataDir];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    const [address] = (await once(child.stdout, "data")) as [Buffer];
    return new BenchServer(child, address.toString().trim());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await exited;
  }
}

/** The key of dev's token issuer, to mint many tokens without asking for each. */
export async function readDevIssuer(dataDir: string): Promise<DevIssuer> {
  const pem = await readFile(join(dataDir, "token-issuer-key.pem"));
  const jwks = JSON.parse(await readFile(join(dataDir, "jwks.json"), "utf8")) as {
    readonly keys: readonly { readonly kid: string }[];
  };
  return { signingKey: createPrivateKey(pem), keyId: jwks.keys[0]?.kid ?? "" };
}
