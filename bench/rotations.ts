/** The operator of a server under test, who publishes bundles: a root is prepared, and withdrawn again. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeCertificates } from "../src/core/x509/pem.ts";
import { fetchBundle } from "../src/edge/rpc/admin-client.ts";
import { changeRoot, fetchRootStatus, type RootCommand } from "../src/edge/rpc/root-client.ts";
import type { BenchServer } from "./server.ts";

/** Those that need no more than their name. */
type Step = Exclude<RootCommand["kind"], "compromise">;

export interface Published {
  readonly sequence: number;
  /** When the new trust state was durable, in Unix milliseconds. */
  readonly acceptedAtMs: number;
}

export class Rotations {
  readonly #server: BenchServer;
  readonly #dataDir: string;

  /** @param server a `timed` one on this directory */
  constructor(server: BenchServer, dataDir: string) {
    this.#server = server;
    this.#dataDir = dataDir;
  }

  /** @throws Error if the server refuses it */
  async order(kind: Step): Promise<Published> {
    const command: RootCommand = kind === "prepare" ? { kind, source: {} } : { kind };
    const request = { command, operator: "bench", dryRun: false };
    const { result } = await changeRoot(this.#server.admin, request);
    if (result.case !== "done") throw new Error(`${kind} was refused: ${result.value?.message}`);
    const accepted = await readFile(join(this.#dataDir, "..", "accepted"), "utf8");
    const acceptedAtMs = Number(accepted.trim().split("\n").at(-1));
    const { sequence } = await fetchBundle(this.#server.admin);
    return { sequence: Number(sequence), acceptedAtMs };
  }

  /** PEM, as proxies get them. */
  async roots(): Promise<string> {
    return encodeCertificates((await fetchBundle(this.#server.admin)).roots);
  }

  /** How many connected agents' certificates are to be renewed. */
  async left(): Promise<number> {
    return Number((await fetchRootStatus(this.#server.admin, 1)).reissue?.left ?? 0);
  }
}
