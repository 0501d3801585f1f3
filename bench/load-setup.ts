/** What the tests of the load generator share: a requests file, and a CA of stubs to send it to. */

import assert from "node:assert/strict";
import { generateKeyPairSync, verify, type KeyObject } from "node:crypto";
import { join } from "node:path";
import { temporaryDirectory } from "../test/support/temporary-directory.ts";
import { writeCorpus } from "./corpus.ts";
import type { LoadOutcome } from "./load-outcome.ts";
import { runLoad, type LoadOptions } from "./load.ts";
import { buildPrograms, LoadError, type Programs } from "./programs.ts";
import { startStubCa, type Answer, type StubCa, type StubCaOptions } from "./stub-ca.ts";

export const RECORDS = 240;
/** Each has a CSR of its own. */
export const WORKLOADS = 20;

/** The programs, or why they cannot be built here. */
export async function findPrograms(): Promise<{
  readonly programs: Programs;
  readonly skip: string | false;
}> {
  try {
    return { programs: await buildPrograms(), skip: false };
  } catch (error) {
    if (!(error instanceof LoadError) || error.code !== "load-go-missing") throw error;
    const programs = { load: "", sds: "", agents: "", outsider: "" };
    return { programs, skip: error.message };
  }
}

export class LoadSetup implements Disposable {
  readonly #program: string;
  readonly #directory: ReturnType<typeof temporaryDirectory> = temporaryDirectory();
  readonly #keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject };

  private constructor(program: string) {
    this.#program = program;
    this.#keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
  }

  static async open({ load }: Programs): Promise<LoadSetup> {
    const setup = new LoadSetup(load);
    await writeCorpus({
      file: setup.#requestsFile,
      records: RECORDS,
      workloads: WORKLOADS,
      seed: 1,
      trustDomain: "example.org",
      tokens: {
        signingKey: setup.#keys.privateKey,
        keyId: "key",
        issuer: "https://issuer.example.org",
        audience: "istio-ca",
        nowMs: Date.now(),
        ttlSeconds: 600,
      },
    });
    return setup;
  }

  async load(
    answer: Answer,
    options: Partial<LoadOptions> = {},
    stub: Pick<StubCaOptions, "settings" | "onSession" | "onRequest"> = {},
  ): Promise<{ readonly outcome: LoadOutcome; readonly seen: StubCa["seen"] }> {
    await using server = await startStubCa({ directory: this.#directory.path, answer, ...stub });
    const outcome = await runLoad(this.#program, {
      address: server.address,
      serverName: "localhost",
      rootFile: server.rootFile,
      requestsFile: this.#requestsFile,
      mode: "steady",
      connections: 4,
      inFlight: 16,
      count: RECORDS,
      fresh: false,
      timeoutSeconds: 10,
      ...options,
    });
    return { outcome, seen: server.seen };
  }

  /** Whether a token came as it was minted. */
  isSigned(token: string): boolean {
    const [input = "", signature = ""] = token.split(/\.(?=[^.]*$)/);
    const { publicKey } = this.#keys;
    return verify("sha256", Buffer.from(input), publicKey, Buffer.from(signature, "base64url"));
  }

  [Symbol.dispose](): void {
    this.#directory[Symbol.dispose]();
  }

  get #requestsFile(): string {
    return join(this.#directory.path, "requests");
  }
}

export function assertAllAnswered(outcome: LoadOutcome, count: number = RECORDS): void {
  assert.deepEqual([...outcome.failed], [], outcome.firstError);
  assert.equal(outcome.ok, count);
  assert.equal(outcome.firstError, "");
}
